/**
 * The audit of one pool: finished tasks that were drawn wait in a short list; in idle moments, one at a time,
 * each runs again on another replica of its set. When the outputs differ, a third replica decides, if there is
 * one. Nobody may have to wait for any of this.
 */
import type { AuditConfig } from '@llama-orch/contracts';
import type { PoolView } from '@llama-orch/orchestrator-core';
import type { PoolManager, ReplicaSnapshot } from '@llama-orch/pool-managerd';
import { AUDIT_TENANT } from '../auth/identity.ts';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logging.ts';
import { compareOutputs } from '../tasks/compare-outputs.ts';
import type { TaskRecord } from '../tasks/live-task.ts';
import { tokensOf, type Replayer } from '../tasks/replay.ts';
import { othersOfItsSet, toReplayable, type Replayable } from '../tasks/replayable.ts';
import type { TaskQueries } from '../tasks/task-queries.ts';
import { GaveWayError, TimedOutError, reasonOf, type AuditOutcome } from './audit-outcome.ts';
import { noteDrift, noteSuspicion, type Findings, type ReplicaLife } from './findings.ts';

/** A finished task that may be audited. */
export interface Candidate {
  readonly taskId: string;
  readonly tenantId: string;
  /** The replica that ran all of it, as it lived then. */
  readonly ranOn: ReplicaLife;
}

export interface PoolAuditOptions {
  readonly poolId: string;
  readonly config: Required<AuditConfig>;
  readonly pools: Pick<PoolManager, 'replicas'>;
  readonly queries: Pick<TaskQueries, 'findEnded'>;
  readonly replayer: Pick<Replayer, 'outputOf' | 'run'>;
  readonly findings: Findings;
  readonly view: () => Pick<PoolView, 'waiting' | 'slotsFree' | 'draining'> | undefined;
  /** Tasks on a replica now. */
  readonly runningOn: (replicaId: string) => number;
  /** It gives strict tasks the same bytes only while nothing else runs there. */
  readonly isStrictAlone: (replica: ReplicaSnapshot) => boolean;
  /** Ends a second run at once; its slot is free then. */
  readonly cancel: (taskId: string) => void;
  readonly count: (outcome: AuditOutcome) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Running {
  readonly taskId: string;
  readonly replicaId: string;
  hasGivenWay: boolean;
}

/** Drawn tasks that wait for an idle moment. */
export const MOST_PENDING = 16;
/** Between two looks for an idle moment, ms. */
export const LOOK_MS = 1_000;
/** For one audit from its beginning to its end, ms. */
export const LIMIT_MS = 300_000;
/** Attempts to have a third replica decide. */
const MOST_DECIDING = 10;
const CALLER = { tenantId: AUDIT_TENANT, keyId: undefined };

export class PoolAudit {
  readonly #options: PoolAuditOptions;
  readonly #stop = new AbortController();
  readonly #pending: Candidate[] = [];
  #running: Running | undefined;
  #isBusy = false;
  #nextAtMs = -Infinity;
  #cancelTimer: (() => void) | undefined;
  #isChecking = false;

  constructor(options: PoolAuditOptions) {
    this.#options = options;
  }

  /** Of the finished strict completions that are drawn, 0 to 1. */
  get share(): number {
    return this.#options.config.share;
  }

  /** Adds to the list, of which the oldest makes room. O(1). */
  offer(candidate: Candidate): void {
    if (this.#stop.signal.aborted) return;
    if (this.#pending.length === MOST_PENDING) {
      this.#pending.shift();
      this.#options.count({ outcome: 'skipped', reason: 'list-full' });
    }
    this.#pending.push(candidate);
    this.#arm(0);
  }

  /** Before a task is admitted: what runs is taken back where the task might have to wait for it. */
  makeWay({ request, rerunOf, deadlineAtMs }: TaskRecord): void {
    if (this.#running === undefined) return;
    const isParticular =
      request.placement !== undefined ||
      request.session_id !== undefined ||
      rerunOf !== undefined ||
      deadlineAtMs !== undefined;
    if (isParticular || !this.#hasRoom()) this.#giveWay(this.#running);
  }

  /** Something happened in some pool: once all that came with it is done, whoever waits goes first. */
  changed(): void {
    if (this.#running === undefined || this.#isChecking) return;
    this.#isChecking = true;
    this.#options.clock.setTimer(0, () => {
      this.#isChecking = false;
      const view = this.#options.view();
      if (this.#running === undefined || (view !== undefined && isQuiet(view))) return;
      this.#giveWay(this.#running);
    });
  }

  /** A replica takes nothing new, or is lost: nobody waits for an audit there to end. */
  replicaChanged({ replicaId, state }: Pick<ReplicaSnapshot, 'replicaId' | 'state'>): void {
    if (this.#running?.replicaId !== replicaId || state === 'ready') return;
    this.#giveWay(this.#running);
  }

  /** Ends what runs, and begins nothing any more. */
  stop(): void {
    this.#stop.abort();
    this.#cancelTimer?.();
    this.#pending.length = 0;
    if (this.#running !== undefined) this.#giveWay(this.#running);
  }

  #arm(afterMs: number): void {
    const { clock } = this.#options;
    if (this.#stop.signal.aborted || this.#isBusy || this.#pending.length === 0) return;
    const dueMs = this.#nextAtMs - clock.now();
    this.#cancelTimer ??= clock.setTimer(Math.max(0, afterMs, dueMs), () => {
      this.#cancelTimer = undefined;
      this.#look();
    });
  }

  /** Begins the oldest audit if this is an idle moment. */
  #look(): void {
    const { config, clock, count } = this.#options;
    const [candidate] = this.#pending;
    if (candidate === undefined) return;
    const others = this.#othersThan([candidate.ranOn]);
    if (others.length === 0) {
      this.#pending.shift();
      count({ outcome: 'skipped', reason: 'no-replica' });
      this.#arm(0);
      return;
    }
    const replica = this.#idleOf(others);
    if (replica === undefined) {
      this.#arm(LOOK_MS);
      return;
    }
    this.#pending.shift();
    this.#nextAtMs = clock.now() + 60_000 / config.max_per_minute;
    this.#isBusy = true;
    void this.#audit(candidate, replica)
      .catch((error: unknown) => ({ outcome: 'skipped', reason: reasonOf(error) }) as const)
      .then((outcome) => {
        if (!this.#stop.signal.aborted) count(outcome);
        this.#isBusy = false;
        this.#arm(0);
      });
  }

  /** @throws GaveWayError, TimedOutError; OrchError, LedgerError */
  async #audit(candidate: Candidate, replica: ReplicaSnapshot): Promise<AuditOutcome> {
    const { queries, replayer, findings, clock } = this.#options;
    const untilMs = clock.now() + LIMIT_MS;
    const { ranOn } = candidate;
    const other = findings.lifeOf(replica);
    const first = toReplayable(await queries.findEnded(candidate.taskId, candidate.tenantId));
    const said = await replayer.outputOf(first.taskId);
    const again = await this.#replay(first, replica.replicaId, untilMs);
    ranOn.audits += 1;
    other.audits += 1;
    const { firstDifference } = compareOutputs(said, again);
    if (firstDifference === undefined) return { outcome: 'match' };
    const outputs = [
      { life: ranOn, text: said.join('') },
      { life: other, text: again.join('') },
    ];
    const third = await this.#decide(first, [ranOn, other], untilMs);
    if (third !== undefined) {
      third.life.audits += 1;
      outputs.push(third);
    }
    this.#judge(outputs, first.taskId, firstDifference.index);
    return { outcome: 'drift' };
  }

  /** Two that agree are right; where no two do, nobody knows who is. */
  #judge(outputs: readonly Output[], taskId: string, token: number): void {
    const { poolId, clock, log } = this.#options;
    const drift = { taskId, atMs: clock.now() };
    const agreed = outputs.find((one) => outputs.some((o) => o !== one && o.text === one.text));
    const odd = outputs.filter(({ text }) => text !== agreed?.text);
    const lives = odd.map(({ life }) => life);
    if (agreed === undefined) noteSuspicion(lives, drift);
    else for (const life of lives) noteDrift(life, drift);
    for (const { replicaId } of lives) {
      log.warn(
        { job_id: taskId, pool_id: poolId, replica_id: replicaId, first_difference: token },
        agreed === undefined ? 'a replica may drift' : 'a replica drifts',
      );
    }
  }

  /**
   * What a third replica of the set says, as soon as one that is ready has time for it; undefined when none does
   * within the time of the audit.
   */
  async #decide(
    first: Replayable,
    [ranOn, other]: readonly [ReplicaLife, ReplicaLife],
    untilMs: number,
  ): Promise<Output | undefined> {
    const { findings, clock } = this.#options;
    for (let attempts = 0; attempts < MOST_DECIDING && clock.now() < untilMs;) {
      const thirds = this.#othersThan([ranOn, other]).filter(({ state }) => state === 'ready');
      if (thirds.length === 0 || this.#stop.signal.aborted) return undefined;
      const replica = this.#idleOf(thirds);
      if (replica !== undefined) {
        attempts += 1;
        const life = findings.lifeOf(replica);
        try {
          return { life, text: (await this.#replay(first, life.replicaId, untilMs)).join('') };
        } catch {
          // Whatever kept it from its end: the next attempt, or the lack of one, tells.
        }
      }
      await this.#pause(LOOK_MS);
    }
    return undefined;
  }

  /** @throws GaveWayError, TimedOutError; OrchError when the second run failed */
  async #replay(first: Replayable, replicaId: string, untilMs: number): Promise<readonly string[]> {
    const { replayer, clock } = this.#options;
    let running: Running | undefined;
    const mayStart = (taskId: string): boolean => {
      const replica = this.#replica(replicaId);
      if (replica === undefined || !this.#isIdle(replica)) return false;
      running = { taskId, replicaId, hasGivenWay: false };
      this.#running = running;
      return true;
    };
    const rerun = { first, where: { on: replicaId }, mayStart };
    const caller = { ...CALLER, correlationId: first.taskId };
    try {
      const limitMs = Math.max(0, untilMs - clock.now());
      return tokensOf(await replayer.run(rerun, caller, this.#stop.signal, limitMs));
    } catch (error) {
      if (running === undefined || running.hasGivenWay) throw new GaveWayError();
      if (clock.now() >= untilMs) throw new TimedOutError();
      throw error;
    } finally {
      this.#running = undefined;
    }
  }

  #giveWay(running: Running): void {
    if (running.hasGivenWay) return;
    running.hasGivenWay = true;
    this.#options.cancel(running.taskId);
  }

  /** Of the set of the first, ready or not. */
  #othersThan([first, ...more]: readonly [
    ReplicaLife,
    ...ReplicaLife[],
  ]): readonly ReplicaSnapshot[] {
    const { pools, poolId } = this.#options;
    const { setId, replicaId } = first;
    return othersOfItsSet(pools, { poolId, setId, replicaId }).filter(
      (each) => !more.some((life) => life.replicaId === each.replicaId),
    );
  }

  #replica(replicaId: string): ReplicaSnapshot | undefined {
    const { pools, poolId } = this.#options;
    return pools.replicas(poolId).find((each) => each.replicaId === replicaId);
  }

  /** Of those that are idle the one that was audited least. */
  #idleOf(replicas: readonly ReplicaSnapshot[]): ReplicaSnapshot | undefined {
    const audits = (each: ReplicaSnapshot): number => this.#options.findings.lifeOf(each).audits;
    return replicas
      .filter((each) => this.#isIdle(each))
      .toSorted((a, b) => audits(a) - audits(b))
      .at(0);
  }

  /** It has a slot to spare, and nobody waits for one. */
  #isIdle(replica: ReplicaSnapshot): boolean {
    const { runningOn, isStrictAlone } = this.#options;
    const most = isStrictAlone(replica) ? 1 : replica.slots;
    return replica.state === 'ready' && runningOn(replica.replicaId) < most && this.#hasRoom();
  }

  #hasRoom(): boolean {
    const view = this.#options.view();
    return view !== undefined && view.slotsFree > 0 && isQuiet(view);
  }

  /** Resolves after `ms`, or when the audit is stopped. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#options.clock.setTimer(ms, end);
      signal.addEventListener('abort', end);
    });
  }
}

interface Output {
  readonly life: ReplicaLife;
  readonly text: string;
}

function isQuiet({ waiting, draining }: Pick<PoolView, 'waiting' | 'draining'>): boolean {
  return waiting.interactive + waiting.batch === 0 && !draining;
}
