/** What holds for every complete stream of a task, whatever happened on the way. */
import { createHash } from 'node:crypto';
import { ContractViolation } from './contract-check.ts';
import type { TaskEvent } from './event-stream.ts';

export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/**
 * `started` once and first, token indexes 0..n-1 in order, ids strictly increasing, exactly one terminal
 * event and nothing behind it, and an `end` that agrees with the tokens.
 * @param events everything one client was sent, over any number of connections
 * @returns the text
 * @throws ContractViolation
 */
export function checkWholeStream(events: readonly TaskEvent[]): string {
  let text = '';
  let tokens = 0;
  let lastId = 0;
  let metricsAtTokens = -1;
  for (const [at, { id, event, data }] of events.entries()) {
    if (id <= lastId) fail(events, `id ${id} after ${lastId}`);
    lastId = id;
    if ((event === 'end' || event === 'error') !== (at === events.length - 1)) {
      fail(events, `${event} at position ${at} of ${events.length}`);
    }
    if (at === 0 && event !== 'started' && event !== 'end' && event !== 'error') {
      fail(events, `${event} comes first`);
    }
    if (event === 'started' && at !== 0) fail(events, 'started is not the first event');
    if (event === 'metrics') metricsAtTokens = tokens;
    if (event === 'token') {
      if (data.i !== tokens) fail(events, `token ${data.i} where ${tokens} was due`);
      tokens += 1;
      text += data.t;
    }
    if (event === 'end' && data.finish_reason !== 'canceled') {
      if (events[0]?.event !== 'started') fail(events, 'an end without a start');
      if (data.tokens_out !== tokens)
        fail(events, `end counts ${data.tokens_out} of ${tokens} tokens`);
      if (data.output_sha256 !== sha256(text))
        fail(events, 'output_sha256 is not that of the tokens');
      if (tokens > 0 && metricsAtTokens !== tokens) fail(events, 'no metrics before the end');
    }
  }
  if (events.length === 0) fail(events, 'no events');
  return text;
}

function fail(events: readonly TaskEvent[], reason: string): never {
  const around = events.map(({ id, event }) => `${id}:${event}`).join(' ');
  throw new ContractViolation(`${reason} in ${around.slice(0, 500)} … ${around.slice(-200)}`);
}
