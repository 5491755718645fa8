/** Runs features with cucumber-js, strictly, and tells what became of them. */
import { loadConfiguration, runCucumber } from '@cucumber/cucumber/api';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { requirementIds } from './requirement-ids.ts';

/** Workers: while a scenario waits for its daemon another one runs. */
const WORKERS = 2;

export interface RunOptions {
  /** Matches steps with their definitions, and runs nothing. */
  readonly isDry: boolean;
  /** File for a report in JUnit's format, relative to the project's root. */
  readonly report: string;
}

export interface FeatureRun {
  /** Every scenario passed; nothing was undefined, pending or ambiguous. */
  readonly hasPassed: boolean;
  /** Steps without a definition, or with several; a dry run of cucumber passes over both. */
  readonly unmatched: readonly string[];
  /** Step definitions that no step of the features uses, by their pattern. */
  readonly unused: readonly string[];
  /** Scenarios without a tag that is a requirement of the specs, or with one that is none. */
  readonly untraced: readonly string[];
}

/** @param paths files, folders, or `file:line`, relative to the project's root */
export async function runFeatures(
  paths: readonly string[],
  { isDry, report }: RunOptions,
): Promise<FeatureRun> {
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
          : { parallel: WORKERS, format: ['progress', `junit:${report}`] }),
      },
    },
    environment,
  );
  const required = requirementIds();
  const patterns = new Map<string, string>();
  const used = new Set<string>();
  const texts = new Map<string, string>();
  const unmatched = new Set<string>();
  const untraced: string[] = [];
  const { success } = await runCucumber(runConfiguration, environment, (message) => {
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
    const ids = pickle.tags.map(({ name }) => name.slice(1)).filter((tag) => /^[A-Z]/.test(tag));
    if (ids.length > 0 && ids.every((id) => required.has(id))) return;
    untraced.push(`${pickle.uri}: ${pickle.name} (${ids.join(' ') || 'no requirement'})`);
  });
  const unused = [...patterns].flatMap(([id, pattern]) => (used.has(id) ? [] : [pattern]));
  return { hasPassed: success, unmatched: [...unmatched], unused, untraced };
}
