/**
 * Many conversations at once, each turn of which sends all that was said before it: what a cached prefix
 * is worth. The same clients, texts and pauses, whoever answers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { createRandom } from '../sim/seeded-random.ts';

export interface Conversations {
  readonly sessions: number;
  readonly turns: number;
  /** Words that each turn adds; in tiny-haiku's vocabulary most are one token. */
  readonly wordsPerTurn: number;
  readonly answerTokens: number;
  /** Mean pause between an answer and the next turn, ms; exponentially distributed. */
  readonly pauseMs: number;
}

/** One turn as it is put to whoever answers. */
export interface Turn {
  readonly session: number;
  /** 0-based. */
  readonly turn: number;
  readonly prompt: string;
  readonly maxTokens: number;
}

export interface Answer {
  readonly text: string;
  /** From sending to the read that held the first token, or the end of an answer without any, ms. */
  readonly firstMs: number;
  readonly promptTokens: number;
  /** Of the prompt's tokens, those that were in a cache. */
  readonly cachedTokens: number;
}

const SEED = 1;
const WORDS =
  'river stone morning light rain cloud moon shadow window city field night snow garden'.split(' ');

/** Plays all conversations to their end. @param ask answers one turn */
export async function converse(
  shape: Conversations,
  ask: (turn: Turn) => Promise<Answer>,
): Promise<readonly Answer[]> {
  const sessions = Array.from({ length: shape.sessions }, async (_, session) => {
    const random = createRandom(SEED, session);
    const answers: Answer[] = [];
    let prompt = '';
    for (let turn = 0; turn < shape.turns; turn += 1) {
      await sleep(random.exponential(shape.pauseMs));
      const words = Array.from({ length: shape.wordsPerTurn }, () => {
        return WORDS[Math.floor(random.next() * WORDS.length)] ?? '';
      });
      prompt += `<|user|>${words.join(' ')}. Write a haiku about rain.<|end|><|assistant|>`;
      const answer = await ask({ session, turn, prompt, maxTokens: shape.answerTokens });
      answers.push(answer);
      prompt += `${answer.text}<|end|>`;
    }
    return answers;
  });
  return (await Promise.all(sessions)).flat();
}

export interface Streamed {
  /** The data of each event. */
  readonly events: readonly unknown[];
  readonly firstMs: number;
}

/**
 * Posts JSON and reads the event stream that answers it.
 * @param marker stands in every event that carries a token, and in no other
 * @throws Error for an answer other than 200
 */
export async function postForEvents(url: string, body: object, marker: string): Promise<Streamed> {
  const startedAt = performance.now();
  const { statusCode, body: stream } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify(body),
  });
  if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}: ${await stream.text()}`);
  let text = '';
  let firstMs: number | undefined;
  stream.setEncoding('utf8');
  for await (const chunk of stream as AsyncIterable<string>) {
    text += chunk;
    if (text.includes(marker)) firstMs ??= performance.now() - startedAt;
  }
  const events = [...text.matchAll(/^data: (.+)$/gm)].map(
    ([, data]) => JSON.parse(data ?? '') as unknown,
  );
  return { events, firstMs: firstMs ?? performance.now() - startedAt };
}
