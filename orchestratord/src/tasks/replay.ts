/**
 * Running a finished strict completion again on another replica of its set: what it said the first time, and
 * the second run, a task like any other, from its admission to its end.
 */
import { OrchError } from '@llama-orch/contracts';
import type { Clock } from '../clock.ts';
import type { Ledger } from '../ledger/types.ts';
import type { LiveTask } from './live-task.ts';
import { isToken, parseLogEntry, tokenText } from './task-log.ts';
import type { Caller, Rerun, TaskService } from './task-service.ts';

export interface ReplayerOptions {
  readonly service: Pick<TaskService, 'rerun' | 'cancel'>;
  readonly ledger: Pick<Ledger, 'readTranscript'>;
  readonly clock: Clock;
}

const RETRY_MS = 5_000;
/** Entries of a transcript read at once. */
const PAGE = 1_000;

export class Replayer {
  readonly #options: ReplayerOptions;

  constructor(options: ReplayerOptions) {
    this.#options = options;
  }

  /** The tokens that a task was kept with. @throws LedgerError */
  async outputOf(taskId: string): Promise<readonly string[]> {
    const tokens: string[] = [];
    for (let after = 0; ; after += PAGE) {
      const page = await this.#options.ledger.readTranscript(taskId, after, PAGE);
      for (const text of page) {
        const entry = parseLogEntry(text);
        if (isToken(entry)) tokens.push(tokenText(entry));
      }
      if (page.length < PAGE) return tokens;
    }
  }

  /**
   * Resolves with the second run when it has completed.
   * @param signal aborted when nobody wants it any more: it is canceled
   * @param limitMs for it to wait its turn and come to its end
   * @throws OrchError with every refusal of an admission, CONFLICT when it was canceled, POOL_UNREADY when it
   * failed or took too long
   */
  async run(rerun: Rerun, caller: Caller, signal: AbortSignal, limitMs: number): Promise<LiveTask> {
    const { service, clock } = this.#options;
    const task = await service.rerun(rerun, caller);
    const timedOut = new AbortController();
    const stopTimer = clock.setTimer(limitMs, () => timedOut.abort());
    const given = AbortSignal.any([signal, timedOut.signal]);
    const giveUp = (): void => {
      // It may have ended at this very moment, and then there is nothing to cancel.
      void service.cancel(task.taskId, caller.tenantId, 'disconnect').catch(() => undefined);
    };
    given.addEventListener('abort', giveUp);
    if (given.aborted) giveUp();
    try {
      await untilSealed(task);
    } finally {
      stopTimer();
      given.removeEventListener('abort', giveUp);
    }
    const last = task.log.entry(task.log.length - 1);
    if (last === undefined || isToken(last) || typeof last === 'string') throw lost();
    const end = JSON.parse(last.data) as EndOrError;
    if (last.event === 'end' && end.finish_reason !== 'canceled') return task;
    if (timedOut.signal.aborted) {
      const message = 'no other replica of its set had time for it';
      throw new OrchError('POOL_UNREADY', message, { poolId: task.poolId, retryAfterMs: RETRY_MS });
    }
    if (last.event === 'end') throw new OrchError('CONFLICT', 'the second run was canceled');
    throw lost(end.message);
  }
}

interface EndOrError {
  readonly finish_reason?: string;
  readonly message?: string;
}

function lost(why = 'it ended without a result'): OrchError {
  return new OrchError('POOL_UNREADY', `the second run failed: ${why}`, { retryAfterMs: RETRY_MS });
}

/** Resolves once the log is complete and durable. */
function untilSealed({ log }: LiveTask): Promise<void> {
  const isOver = (): boolean => log.sealed && log.visible === log.length;
  if (isOver()) return Promise.resolve();
  return new Promise((resolve) => {
    const unsubscribe = log.subscribe(() => {
      if (!isOver()) return;
      unsubscribe();
      resolve();
    });
  });
}

/** What a task has said so far. */
export function tokensOf({ log }: LiveTask): readonly string[] {
  const tokens: string[] = [];
  for (let position = 0; position < log.length; position += 1) {
    const entry = log.entry(position);
    if (entry !== undefined && isToken(entry)) tokens.push(tokenText(entry));
  }
  return tokens;
}
