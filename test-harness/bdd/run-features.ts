/** Runs features with cucumber-js, strictly, and tells what became of them. */
import { loadConfiguration, runCucumber } from '@cucumber/cucumber/api';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { ScenarioResults, type ScenarioResult } from './scenario-results.ts';

/** Workers: while a scenario waits for its daemon another one runs. */
const WORKERS = 2;
const REQUIREMENT = /^@(?:ORCH|OC(?:-[A-Z]+)+)-\d{4}$/;

export interface FeatureRun {
  /** Every scenario passed, and there were some; nothing was undefined, pending or ambiguous. */
  readonly hasPassed: boolean;
  readonly scenarios: readonly ScenarioResult[];
  /** Steps without a definition, or with several; a dry run of cucumber passes over both. */
  readonly unmatched: readonly string[];
  /** Step definitions that no step of the features uses, by their pattern. */
  readonly unused: readonly string[];
  /** Scenarios without the tag of a requirement. */
  readonly untraced: readonly string[];
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
        strict: true,
        ...(isDry
          ? { dryRun: true, format: ['summary'] }
          : { parallel: WORKERS, format: ['progress'] }),
      },
    },
    environment,
  );
  const results = new ScenarioResults();
  const patterns = new Map<string, string>();
  const used = new Set<string>();
  const texts = new Map<string, string>();
  const unmatched = new Set<string>();
  const untraced: string[] = [];
  const { success } = await runCucumber(runConfiguration, environment, (message) => {
    results.take(message);
    const { stepDefinition, testCase, pickle } = message;
    if (stepDefinition !== undefined) {
      patterns.set(stepDefinition.id, stepDefinition.pattern.source);
    }
    for (const { pickleStepId, stepDefinitionIds: ids = [] } of testCase?.testSteps ?? []) {
      for (const id of ids) used.add(id);
      if (pickleStepId === undefined || ids.length === 1) continue;
      const text = texts.get(pickleStepId) ?? '';
      unmatched.add(`${ids.length === 0 ? 'undefined' : 'ambiguous'}: ${text}`);
    }
    if (pickle === undefined) return;
    for (const { id, text } of pickle.steps) texts.set(id, text);
    const isTraced = pickle.tags.some(({ name }) => REQUIREMENT.test(name));
    if (!isTraced) untraced.push(`${pickle.uri}: ${pickle.name}`);
  });
  return {
    hasPassed: success && results.all.length > 0,
    scenarios: results.all,
    unmatched: [...unmatched],
    unused: [...patterns].flatMap(([id, pattern]) => (used.has(id) ? [] : [pattern])),
    untraced,
  };
}
