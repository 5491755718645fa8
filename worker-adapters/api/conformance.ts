import { describeControl } from './conformance-control.ts';
import { describeFaults } from './conformance-faults.ts';
import type { Subject, TestKit } from './conformance-kit.ts';
import { describeStreams } from './conformance-streams.ts';

export type {
  AdapterSimulator,
  EngineTraits,
  Refusal,
  SimulatorFault,
  SimulatorSetup,
  Subject,
  TestKit,
} from './conformance-kit.ts';
export { failureOf, until } from './conformance-kit.ts';

/**
 * The suite every adapter passes against a simulator of its engine's protocol. Call it from a test
 * file: `describeAdapter('llamacpp', { open, simulator, traits }, { describe, test, expect })`.
 */
export function describeAdapter(name: string, subject: Subject, kit: TestKit): void {
  kit.describe(`${name} adapter`, () => {
    describeStreams(subject, kit);
    describeFaults(subject, kit);
    describeControl(subject, kit);
  });
}
