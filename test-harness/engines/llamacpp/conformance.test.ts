import { describe, expect, test } from 'vitest';
import { describeAdapter } from '@llama-orch/worker-adapters/conformance';
import { LLAMACPP } from './subject.ts';

describeAdapter('ORCH-3054 OC-ADAPT-5001 OC-ADAPT-5002 llamacpp', LLAMACPP, {
  describe,
  test,
  expect,
});
