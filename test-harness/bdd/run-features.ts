/** Runs features with cucumber-js, strictly, and tells what became of them. */
import { join } from 'node:path';
import { loadConfiguration, runCucumber } from '@cucumber/cucumber/api';
import { PROJECT_ROOT } from '../src/temp-config.ts';

export const BDD_ROOT = join(PROJECT_ROOT, 'test-harness', 'bdd');
/** Where CI counts scenarios: JUnit's format, one `testcase` each. */
export const REPORT = join('.cache', 'bdd.xml');

export interface FeatureRun {
  /** Every scenario passed; nothing undefined, pending or ambiguous. */
  readonly isGood: boolean;
  /** Step definitions that no step of the features uses, by their pattern. */
  readonly unused: readonly string[];
}

/**
 * @param paths files, folders, or `file:line`, relative to the project's root
 * @param isDry matches steps with their definitions, and runs nothing
 */
export async function runFeatures(paths: readonly string[], isDry: boolean): Promise<FeatureRun> {
  const environment = { cwd: PROJECT_ROOT };
  const { runConfiguration } = await loadConfiguration(
    {
      file: false,
      provided: {
        paths: [...paths],
        import: ['test-harness/bdd/support/hooks.ts', 'test-harness/bdd/steps/*.steps.ts'],
        dryRun: isDry,
        strict: true,
        format: isDry ? ['progress'] : ['progress', `junit:${REPORT}`],
      },
    },
    environment,
  );
  const definitions = new Map<string, string>();
  const used = new Set<string>();
  const { success } = await runCucumber(runConfiguration, environment, (message) => {
    const { stepDefinition, testCase } = message;
    if (stepDefinition !== undefined) {
      definitions.set(stepDefinition.id, stepDefinition.pattern.source);
    }
    for (const step of testCase?.testSteps ?? []) {
      for (const id of step.stepDefinitionIds ?? []) used.add(id);
    }
  });
  const unused = [...definitions].flatMap(([id, pattern]) => (used.has(id) ? [] : [pattern]));
  return { isGood: success, unused };
}
