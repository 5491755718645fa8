import { describe, expect, test } from 'vitest';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import { LLAMACPP } from './subject.ts';

describeAdapter('llamacpp', LLAMACPP, { describe, test, expect });
