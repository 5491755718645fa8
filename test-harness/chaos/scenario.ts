/** What a scenario of chaos is: one boundary at which things go wrong, and what must hold all the same. */
import { formatColumns } from '../src/text-table.ts';

export interface ScenarioOptions {
  /** Everything that is drawn follows from it, but not what the machine does meanwhile. */
  readonly seed: number;
  /** Tasks of the load. */
  readonly tasks: number;
  /** Told of each thing that is done to the daemon. */
  readonly onEvent?: (what: string) => void;
}

export interface ScenarioReport {
  /** What was counted, for people. */
  readonly figures: readonly (readonly [string, string | number])[];
  /** One line each; empty is success. */
  readonly violations: readonly string[];
}

export interface Scenario {
  readonly name: string;
  /** One line: what is done to the daemon. */
  readonly about: string;
  /** Tasks of the everyday form and of the long one. */
  readonly tasks: { readonly short: number; readonly long: number };
  /** @throws Error when something cannot be started */
  run(options: ScenarioOptions): Promise<ScenarioReport>;
}

const SHOWN = 20;
const WORDS = new Set([0, 1]);

export function formatScenario(name: string, seed: number, report: ScenarioReport): string {
  const rows = [
    ['scenario', name],
    ['seed', seed],
    ...report.figures,
    ['violations', report.violations.length],
  ].map((row) => row.map(String));
  const shown = report.violations.slice(0, SHOWN).map((line) => `  ! ${line}`);
  return [formatColumns(rows, WORDS), ...shown].join('\n');
}
