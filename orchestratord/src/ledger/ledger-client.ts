/**
 * The ledger as the main thread sees it. One group of writes is under commit at a time; what is written
 * meanwhile becomes the next group, so a group is as large as the load makes it. Reads go to the thread
 * at once and run right after the group under commit. The thread lives as long as the ledger is open.
 */
import { setImmediate, setTimeout } from 'node:timers';
import type { Worker } from 'node:worker_threads';
import { GroupBuffer, type Group, type GroupLimits } from './group-buffer.ts';
import { LedgerError } from './ledger-error.ts';
import { encodeBatch, encodeProbe, encodeSnapshot } from './wire.ts';
import type { FromThread, GroupResult, StoreCalls, ToThread, Wire } from './wire.ts';
import type {
  ArchivedTask,
  CommitStats,
  Ledger,
  LedgerHealth,
  Recovery,
  RetentionPolicy,
  SequencedEvent,
  TaskFilter,
  WriteBatch,
} from './types.ts';

export interface ClientOptions extends GroupLimits {
  /** Events kept for operators below the newest snapshot. */
  readonly keepEvents: number;
  /** While the storage refuses writes: how long to wait before trying one again, ms. */
  readonly probeIntervalMs: number;
}

/** Reads that may be open at once. */
const MAX_OPEN_CALLS = 1_024;

const RECOVERY_PAGE = 1_000;

interface OpenCall {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: LedgerError) => void;
}

export class LedgerClient implements Ledger {
  readonly #worker: Worker;
  readonly #options: ClientOptions;
  readonly #buffer: GroupBuffer;
  readonly #calls = new Map<number, OpenCall>();
  readonly #commitListeners: ((stats: CommitStats) => void)[] = [];
  readonly #failed = Promise.withResolvers<LedgerError>();
  readonly #exited = Promise.withResolvers<void>();
  #nextCallId = 1;
  #lastSeq: number;
  #committing: { readonly group: Group; readonly startedAtMs: number } | undefined;
  #flushScheduled = false;
  #probeTimer: NodeJS.Timeout | undefined;
  #state: LedgerHealth['state'] = 'ok';
  #error: LedgerError | undefined;
  #closing: Promise<void> | undefined;
  /** The thread was told to end. */
  #mayExit = false;

  /** `worker` has opened its file and said so; `lastSeq` is what it said. */
  constructor(worker: Worker, lastSeq: number, options: ClientOptions) {
    this.#worker = worker;
    this.#lastSeq = lastSeq;
    this.#options = options;
    this.#buffer = new GroupBuffer(options);
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => this.#fail(error));
    worker.on('messageerror', (error) => this.#fail(error));
    worker.on('exit', () => {
      if (!this.#mayExit) this.#fail(undefined);
      this.#exited.resolve();
    });
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  get saturated(): boolean {
    return this.#buffer.isHalfFull;
  }

  get failed(): Promise<LedgerError> {
    return this.#failed.promise;
  }

  health(): LedgerHealth {
    const startedAtMs = this.#committing?.startedAtMs;
    return {
      state: this.#state,
      error: this.#error,
      waitingWrites: this.#buffer.waitingWrites,
      commitRunningMs: startedAtMs === undefined ? 0 : performance.now() - startedAtMs,
    };
  }

  write(batch: WriteBatch): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#buffer.isFull) {
      const waiting = this.#buffer.waitingWrites;
      return Promise.reject(new LedgerError('overloaded', `${waiting} writes are waiting already`));
    }
    return this.#add((wire) => encodeBatch(wire, batch));
  }

  async snapshot(state: string): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    await this.#add((wire) => encodeSnapshot(wire, state));
    while (!(await this.#call('pruneEvents', this.#options.keepEvents)).done);
  }

  async sweep(policy: RetentionPolicy, nowMs: number): Promise<number> {
    let removed = 0;
    for (;;) {
      const step = await this.#call('sweepArchive', policy, nowMs);
      removed += step.removed;
      if (step.done) return removed;
    }
  }

  async recover(): Promise<Recovery> {
    const until = this.#lastSeq;
    const snapshot = await this.#call('latestSnapshot');
    return { snapshot: snapshot?.state, events: this.#eventsBetween(snapshot?.seq ?? 0, until) };
  }

  async *#eventsBetween(after: number, until: number): AsyncGenerator<SequencedEvent> {
    let seq = after;
    while (seq < until) {
      const page = await this.readEvents(seq, Math.min(RECOVERY_PAGE, until - seq));
      yield* page;
      const last = page.at(-1);
      if (last === undefined) throw new LedgerError('corrupt', `events after ${seq} are missing`);
      seq = last.seq;
    }
  }

  readEvents(after: number, limit: number): Promise<readonly SequencedEvent[]> {
    return this.#call('readEvents', after, limit);
  }

  readTranscript(taskId: string, afterId: number, limit: number): Promise<readonly string[]> {
    return this.#call('readTranscript', taskId, afterId, limit);
  }

  findArchived(taskId: string): Promise<ArchivedTask | undefined> {
    return this.#call('findArchived', taskId);
  }

  findSwept(taskId: string): Promise<string | undefined> {
    return this.#call('findSwept', taskId);
  }

  listArchived(
    filter: TaskFilter,
    before: number | undefined,
    limit: number,
  ): Promise<readonly ArchivedTask[]> {
    return this.#call('listArchived', filter, before, limit);
  }

  onCommit(listener: (stats: CommitStats) => void): void {
    this.#commitListeners.push(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#state !== 'failed') {
      // An empty write at the end of the queue: when it is settled, so is everything before it. Whether
      // it was stored does not matter.
      await this.#add((wire) => encodeBatch(wire, {})).catch(() => undefined);
    }
    clearTimeout(this.#probeTimer);
    if (this.#state !== 'failed') {
      this.#mayExit = true;
      // The thread may be gone before its answer is heard.
      await Promise.race([this.#call('close'), this.#exited.promise]);
      this.#state = 'closed';
    }
    await this.#exited.promise;
  }

  /** Why nothing may be asked of the ledger any more, if so. */
  #refusal(): LedgerError | undefined {
    if (this.#state === 'failed') return this.#error;
    if (this.#closing !== undefined) return new LedgerError('closed', 'the ledger is closed');
    return undefined;
  }

  #add(encode: (wire: Wire) => number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#buffer.add(encode, { resolve, reject });
      this.#scheduleFlush();
    });
  }

  /** Waits for the end of this turn of the event loop, so that what it writes shares one commit. */
  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#committing !== undefined) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#committing !== undefined || this.#state === 'failed') return;
    const group = this.#buffer.take();
    if (group === undefined) return;
    this.#committing = { group, startedAtMs: performance.now() };
    this.#post({ kind: 'group', wire: group.wire });
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #call<K extends keyof StoreCalls>(
    method: K,
    ...args: Parameters<StoreCalls[K]>
  ): Promise<ReturnType<StoreCalls[K]>> {
    const refusal = method === 'close' ? undefined : this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    if (this.#calls.size >= MAX_OPEN_CALLS && method !== 'close') {
      return Promise.reject(
        new LedgerError('overloaded', `${MAX_OPEN_CALLS} reads are open already`),
      );
    }
    return new Promise((resolve, reject) => {
      const id = this.#nextCallId++;
      this.#calls.set(id, { resolve: resolve as OpenCall['resolve'], reject });
      this.#post({ kind: 'call', id, method, args });
    });
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'committed':
        this.#settle(message.result);
        break;
      case 'answer':
        this.#takeCall(message.id)?.resolve(message.value);
        break;
      case 'refused': {
        const { code, message: reason } = message.error;
        this.#takeCall(message.id)?.reject(new LedgerError(code, reason));
        break;
      }
      case 'ready':
      case 'unusable':
        break;
    }
  }

  #takeCall(id: number): OpenCall | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  #settle(result: GroupResult): void {
    const committed = this.#committing;
    if (committed === undefined) return;
    const { group } = committed;
    this.#committing = undefined;
    this.#buffer.settled(group);
    this.#lastSeq = result.lastSeq;
    // What was written behind a refused write must not be stored before it: the writer tries again in order.
    const behind = this.#judge(group, result) ? [] : this.#buffer.takeAll();
    this.#flush();
    const errors = new Map(
      result.refusals.map(({ index, code, message }) => [index, new LedgerError(code, message)]),
    );
    for (const [index, waiter] of group.waiters.entries()) {
      const error = errors.get(index);
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
    this.#rejectAll(behind, this.#error);
    for (const listener of this.#commitListeners) {
      listener({ events: result.events, commitMs: result.commitMs });
    }
  }

  #rejectAll(groups: readonly Group[], error: LedgerError | undefined): void {
    for (const group of groups) {
      this.#buffer.settled(group);
      for (const waiter of group.waiters) waiter.reject(error ?? new LedgerError('io', 'refused'));
    }
  }

  /** Whether the storage takes writes, as far as this group can tell. */
  #judge(group: Group, { refusals }: GroupResult): boolean {
    const refused = refusals.find(({ code }) => code !== 'invalid');
    if (refused !== undefined) {
      this.#state = 'degraded';
      this.#error = new LedgerError(refused.code, refused.message);
      this.#probeTimer ??= this.#startProbe();
      return false;
    }
    if (refusals.length < group.waiters.length) {
      this.#state = 'ok';
      this.#error = undefined;
    }
    return true;
  }

  /** Without a probe a ledger that nobody dares to write to would never be found healthy again. */
  #startProbe(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#probeTimer = undefined;
      if (this.#refusal() === undefined) this.#add(encodeProbe).catch(() => undefined);
    }, this.#options.probeIntervalMs).unref();
  }

  #fail(cause: unknown): void {
    if (this.#state === 'failed') return;
    const reason = cause instanceof Error ? cause.message : 'it ended by itself';
    const error = new LedgerError('failed', `the ledger's thread is gone: ${reason}`, { cause });
    this.#state = 'failed';
    this.#error = error;
    clearTimeout(this.#probeTimer);
    const committing = this.#committing?.group;
    this.#committing = undefined;
    this.#rejectAll(committing === undefined ? [] : [committing], error);
    this.#rejectAll(this.#buffer.takeAll(), error);
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    this.#failed.resolve(error);
  }
}
