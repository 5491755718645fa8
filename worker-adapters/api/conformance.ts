import { describeCancel } from './conformance-cancel.ts';
import { describeControl } from './conformance-control.ts';
import { describeFaults } from './conformance-faults.ts';
import { asEngine } from './conformance-kit.ts';
import type { EngineSubject, Subject, TestKit } from './conformance-kit.ts';
import { describeStreams } from './conformance-streams.ts';
import { describeWire } from './conformance-wire.ts';

export type {
  AdapterSimulator,
  EngineSetup,
  EngineSubject,
  EngineTraits,
  Refusal,
  SimulatorFault,
  SimulatorSetup,
  Subject,
  TestEngine,
  TestKit,
  TextRequest,
} from './conformance-kit.ts';
export { collect, failureOf, requestOf, until } from './conformance-kit.ts';

/**
 * What an adapter does with an engine that does well, simulated or real: streams, cancel, control calls.
 * What is to be expected the engine itself is asked, in another way.
 */
export function describeEngine(name: string, subject: EngineSubject, kit: TestKit): void {
  kit.describe(`${name} adapter`, () => {
    describeStreams(subject, kit);
    describeCancel(subject, kit);
    describeControl(subject, kit);
  });
}

/**
 * The suite every adapter passes against a simulator of its engine's protocol: all of `describeEngine`,
 * and what only a simulator can be told to do. Call it from a test file:
 * `describeAdapter('llamacpp', { open, simulator, traits }, { describe, test, expect })`.
 */
export function describeAdapter(name: string, subject: Subject, kit: TestKit): void {
  describeEngine(name, asEngine(subject), kit);
  kit.describe(`${name} adapter, on a simulator`, () => {
    describeWire(subject, kit);
    describeFaults(subject, kit);
  });
}
