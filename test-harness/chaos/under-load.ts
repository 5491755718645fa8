/** The frame of a scenario: a daemon under load, something that is done to it meanwhile, and the verdict. */
import type { DaemonProcess } from '../src/daemon-process.ts';
import { readLedgerContent } from './ledger-file.ts';
import { Load, type LoadOptions } from './load.ts';
import { judgeMemory, MEMORY_SLACK_BYTES, probe, untilAtRest } from './rest.ts';
import type { ScenarioReport } from './scenario.ts';
import { judgeLedger, judgeTask, type AllowedEnds, type Observation } from './verdict.ts';

/** What a scenario found while it disturbed. */
export interface Findings {
  readonly violations: string[];
  /** Of tasks beside the load. */
  readonly observations: Observation[];
  readonly figures: (readonly [string, string | number])[];
}

export interface UnderLoad {
  readonly daemon: DaemonProcess;
  readonly load: LoadOptions;
  /** What is done to it before the load. */
  readonly prelude?: (findings: Findings) => Promise<void>;
  /** Does what the scenario is about; the load goes on until it is done. */
  readonly disturb: (load: Load, findings: Findings) => Promise<void>;
  readonly allowed: AllowedEnds;
  /** What it may keep of the memory that the load and the scenario took, bytes. */
  readonly memorySlackBytes?: number;
  /** Messages that the daemon may log as errors, given what is done to it. */
  readonly allowedErrors?: RegExp;
}

/** Runs the load to its end, stops the daemon, reads its ledger. @throws Error when it cannot be started */
export async function runUnderLoad(options: UnderLoad): Promise<ScenarioReport> {
  const { daemon, allowed, allowedErrors } = options;
  const before = await untilAtRest(daemon);
  if (before.unsettled !== undefined) throw new Error(`not ready: ${before.unsettled}`);
  const pidBefore = daemon.pid;
  const findings: Findings = { violations: [], observations: [], figures: [] };
  const { violations } = findings;
  await options.prelude?.(findings);
  const load = new Load(daemon.client, options.load);
  const [observed] = await Promise.all([
    load.observations(),
    options
      .disturb(load, findings)
      .catch((error: unknown) => {
        violations.push(`the scenario broke off: ${String(error)}`);
      })
      .finally(() => load.release()),
  ]);
  const judged = [...observed, ...findings.observations];
  violations.push(...judged.flatMap((each) => judgeTask(each, allowed)));

  const isSameLife = daemon.pid === pidBefore;
  const after = await untilAtRest(daemon, isSameLife ? before : undefined);
  if (after.unsettled !== undefined) violations.push(`does not come to rest: ${after.unsettled}`);
  if (isSameLife)
    violations.push(...judgeMemory(before, after, options.memorySlackBytes ?? MEMORY_SLACK_BYTES));
  const probed = await probe(daemon);
  violations.push(...probed.violations);
  const { code } = await daemon.terminate();
  if (code !== 0) violations.push(`the last stop exited with ${code}`);
  const ledger = readLedgerContent(daemon.dataDir);
  violations.push(...judgeLedger(ledger, [...judged, ...probed.observations]));
  for (const { level, msg } of daemon.logs()) {
    const isError = level === 'error' || level === 'fatal';
    if (isError && !allowedErrors?.test(String(msg))) violations.push(`logged: ${String(msg)}`);
  }

  const { resumptions, refusals, unanswered, canceled, tokens } = load.figures;
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  return {
    figures: [
      ['tasks', judged.length],
      ['  completed', judged.filter(({ state }) => state === 'completed').length],
      ['  canceled', judged.filter(({ state }) => state === 'canceled').length],
      ['  failed as they may', judged.filter(({ state }) => state === 'failed').length],
      ['cancels acknowledged', canceled],
      ['streams resumed', resumptions],
      ['posts refused, and repeated', refusals],
      ['posts unanswered, and repeated', unanswered],
      ['tokens read', tokens],
      ...findings.figures,
      ['resident memory', `${mib(before.residentBytes)} → ${mib(after.residentBytes)}`],
    ],
    violations,
  };
}
