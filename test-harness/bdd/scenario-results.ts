/** What became of each scenario, from cucumber's messages. */
import { Status } from '@cucumber/cucumber';
import type { runCucumber } from '@cucumber/cucumber/api';

type Message = Parameters<NonNullable<Parameters<typeof runCucumber>[2]>>[0];

export interface ScenarioResult {
  /** Path of its feature. */
  readonly feature: string;
  readonly name: string;
  readonly hasPassed: boolean;
}

export class ScenarioResults {
  readonly #pickles = new Map<string, { readonly feature: string; readonly name: string }>();
  /** Pickles by test case, test cases by their runs. */
  readonly #pickleOf = new Map<string, string>();
  readonly #testCaseOf = new Map<string, string>();
  readonly #failed = new Set<string>();
  readonly all: ScenarioResult[] = [];

  take({ pickle, testCase, testCaseStarted, testStepFinished, testCaseFinished }: Message): void {
    if (pickle !== undefined) {
      this.#pickles.set(pickle.id, { feature: pickle.uri, name: pickle.name });
    }
    if (testCase !== undefined) this.#pickleOf.set(testCase.id, testCase.pickleId);
    if (testCaseStarted !== undefined) {
      this.#testCaseOf.set(testCaseStarted.id, testCaseStarted.testCaseId);
    }
    if (
      testStepFinished !== undefined &&
      testStepFinished.testStepResult.status !== Status.PASSED
    ) {
      this.#failed.add(testStepFinished.testCaseStartedId);
    }
    if (testCaseFinished === undefined) return;
    const { testCaseStartedId: id } = testCaseFinished;
    const found = this.#pickles.get(this.#pickleOf.get(this.#testCaseOf.get(id) ?? '') ?? '');
    if (found !== undefined) this.all.push({ ...found, hasPassed: !this.#failed.has(id) });
  }
}

/** The results as vitest reports them in JSON, which is what CI counts. */
export function toReport(results: readonly ScenarioResult[]): object {
  const features = [...new Set(results.map(({ feature }) => feature))].toSorted();
  const status = (isGood: boolean): string => (isGood ? 'passed' : 'failed');
  return {
    numPassedTests: results.filter(({ hasPassed }) => hasPassed).length,
    numFailedTests: results.filter(({ hasPassed }) => !hasPassed).length,
    numPendingTests: 0,
    testResults: features.map((feature) => {
      const scenarios = results.filter((each) => each.feature === feature);
      return {
        name: feature,
        status: status(scenarios.every(({ hasPassed }) => hasPassed)),
        assertionResults: scenarios.map(({ name, hasPassed }) => ({
          fullName: name,
          status: status(hasPassed),
        })),
      };
    }),
  };
}
