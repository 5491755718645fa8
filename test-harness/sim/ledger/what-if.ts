/** How recorded traffic would have fared with other replicas or another policy. */
import type { LedgerOptions } from '../cli-options.ts';
import type { NamedPolicy } from '../policy.ts';
import { quantile } from '../summary.ts';
import { formatColumns } from '../../src/text-table.ts';
import { TraceError } from '../trace-files.ts';
import { speedUp, type Trace } from '../trace.ts';
import { DEFAULT_SCENARIO, simulate, type Scenario } from '../world.ts';
import { fitSpeed } from './fitted-speed.ts';
import { toTrace } from './ledger-trace.ts';
import { readLedger, type LedgerReading, type RecordedTask } from './recorded-tasks.ts';

/** Seconds. */
export interface Waits {
  readonly queueP50: number;
  readonly queueP95: number;
  readonly ttftP50: number;
  readonly ttftP95: number;
}

export interface WhatIf extends Waits {
  readonly policy: string;
  readonly replicas: number;
  readonly refused: number;
}

export interface LedgerAnswer {
  readonly usable: number;
  readonly unusable: Readonly<Record<string, number>>;
  readonly poolId: string;
  readonly otherPools: readonly string[];
  readonly constants: Scenario['constants'];
  /** How the constants came about, in words. */
  readonly source: string;
  readonly replicas: number;
  readonly slots: number;
  readonly tooLarge: number;
  readonly recorded: Waits;
  readonly whatIfs: readonly WhatIf[];
}

/**
 * Plays a ledger's tasks with one replica less than there are, as many, and one and two more.
 * @throws TraceError when there is no ledger, or no task in it that can be played
 */
export function askLedger(options: LedgerOptions): LedgerAnswer {
  const reading = readLedger(options.dataDir);
  const [poolId, recorded] = choosePool(reading, options);
  const fitted = options.model === undefined ? fitSpeed(recorded) : undefined;
  const constants = options.model ?? fitted?.constants ?? DEFAULT_SCENARIO.constants;
  const fits = (task: RecordedTask) =>
    task.usage.tokensIn + task.usage.tokensOut <= options.kvTokens;
  const tasks = recorded.filter(fits);
  if (tasks.length === 0) throw new TraceError('no task fits into --kv-tokens');
  const trace = speedUp(toTrace(tasks), options.speed);
  const replicas = options.replicas ?? new Set(recorded.map(({ replicaId }) => replicaId)).size;
  const slots = options.slots ?? mostAtOnce(recorded);
  const hasHits = recorded.some(({ usage }) => usage.cachedTokens > 0);
  const scenario: Scenario = {
    ...DEFAULT_SCENARIO,
    constants,
    slots,
    tokenBudget: options.tokenBudget,
    kvTokens: options.kvTokens,
    cacheTokens: options.cacheTokens ?? (hasHits ? options.kvTokens : 0),
  };
  const counts = [replicas - 1, replicas, replicas + 1, replicas + 2].filter((count) => count > 0);
  return {
    usable: reading.tasks.length,
    unusable: Object.fromEntries(reading.unusable),
    poolId,
    otherPools: [...reading.pools.keys()].filter((id) => id !== poolId),
    constants,
    source:
      fitted === undefined
        ? `model ${constants.name}`
        : `fitted to ${fitted.prefills} prefills${fitted.isUndisturbed ? ' on otherwise idle replicas' : ' beside other work, so too slow rather than too fast'}`,
    replicas,
    slots,
    tooLarge: recorded.length - tasks.length,
    recorded: recordedWaits(recorded),
    whatIfs: counts.flatMap((count) =>
      options.policies.map((policy) => play(trace, { ...scenario, replicas: count }, policy)),
    ),
  };
}

function choosePool(
  { pools }: LedgerReading,
  { pool, dataDir }: LedgerOptions,
): [string, readonly RecordedTask[]] {
  const largest = [...pools].sort(([, a], [, b]) => b.length - a.length)[0];
  if (largest === undefined) throw new TraceError(`${dataDir} holds no task that can be played`);
  if (pool === undefined) return largest;
  const tasks = pools.get(pool);
  if (tasks === undefined) throw new TraceError(`${dataDir} holds no tasks of a pool ${pool}`);
  return [pool, tasks];
}

/** Most tasks that were on one replica at once: what it had in slots at the least. */
function mostAtOnce(tasks: readonly RecordedTask[]): number {
  let most = 1;
  for (const members of Map.groupBy(tasks, ({ replicaId }) => replicaId).values()) {
    const changes = members.flatMap(({ startedAtMs, endedAtMs }) => [
      { atMs: startedAtMs, by: 1 },
      { atMs: endedAtMs, by: -1 },
    ]);
    let running = 0;
    for (const { by } of changes.sort((a, b) => a.atMs - b.atMs || a.by - b.by)) {
      running += by;
      most = Math.max(most, running);
    }
  }
  return most;
}

function recordedWaits(tasks: readonly RecordedTask[]): Waits {
  return waitsOf(
    tasks.map(({ dispatchedAtMs, acceptedAtMs }) => dispatchedAtMs - acceptedAtMs),
    tasks.map(({ firstTokenAtMs, acceptedAtMs }) => firstTokenAtMs - acceptedAtMs),
  );
}

function play(trace: Trace, scenario: Scenario, policy: NamedPolicy): WhatIf {
  const { records } = simulate(trace, scenario, policy);
  const queued: number[] = [];
  const ttfts: number[] = [];
  for (const [index, { dispatchMs, firstTokenMs }] of records.entries()) {
    const arrivalMs = trace[index]?.arrivalMs ?? NaN;
    if (Number.isNaN(firstTokenMs)) continue;
    queued.push(dispatchMs - arrivalMs);
    ttfts.push(firstTokenMs - arrivalMs);
  }
  const refused = records.length - ttfts.length;
  return { policy: policy.name, replicas: scenario.replicas, refused, ...waitsOf(queued, ttfts) };
}

function waitsOf(queuedMs: readonly number[], ttftsMs: readonly number[]): Waits {
  return {
    queueP50: quantile(queuedMs, 0.5) / 1000,
    queueP95: quantile(queuedMs, 0.95) / 1000,
    ttftP50: quantile(ttftsMs, 0.5) / 1000,
    ttftP95: quantile(ttftsMs, 0.95) / 1000,
  };
}

export function formatAnswer(answer: LedgerAnswer): string {
  const { usable, unusable, poolId, otherPools, source, constants: c } = answer;
  const left = Object.entries(unusable).map(([why, count]) => `${count} ${why}`);
  const notes = [
    `${usable} tasks usable${left.length === 0 ? '' : `; left out: ${left.join(', ')}`}`,
    `pool ${poolId}${otherPools.length === 0 ? '' : ` (--pool takes another: ${otherPools.join(', ')})`}`,
    `step times: ${source}`,
    `  at least ${figure(c.a0Ms + c.hostMs)} ms, or ${figure(c.b0Ms + c.hostMs)} + ${figure(c.b1Ms)} per prompt token; ${figure(c.hostPerDecodeMs)} more per sequence`,
    ...(answer.tooLarge > 0 ? [`${answer.tooLarge} tasks larger than --kv-tokens left out`] : []),
  ];
  const head = ['', 'replicas', 'queue p50', 'p95', 'first token p50', 'p95', 'refused'];
  const recorded = ['recorded', String(answer.replicas), ...cellsOf(answer.recorded), ''];
  const rows = answer.whatIfs.map((whatIf) => [
    whatIf.policy,
    String(whatIf.replicas),
    ...cellsOf(whatIf),
    String(whatIf.refused),
  ]);
  const tail = [
    `Seconds; simulated with ${answer.slots} slots a replica. Where a policy sends everything on at once,`,
    'requests wait in the engine instead of the queue: compare first tokens. Trust the other rows as far',
    'as the one with as many replicas as there were agrees with the record.',
  ].join('\n');
  return `${notes.join('\n')}\n\n${formatColumns([head, recorded, ...rows])}\n\n${tail}`;
}

function cellsOf({ queueP50, queueP95, ttftP50, ttftP95 }: Waits): string[] {
  return [queueP50, queueP95, ttftP50, ttftP95].map((value) => value.toFixed(3));
}

function figure(value: number): string {
  return value.toPrecision(3);
}
