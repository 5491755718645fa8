/**
 * Conversations each turn of which sends all that was said before it: what a cached prefix is worth. The
 * same texts are put to all who answer, turn by turn, so that all see the same machine.
 */
import { request } from 'undici';
import { createRandom, type SeededRandom } from '../sim/seeded-random.ts';

export interface Conversations {
  readonly sessions: number;
  readonly turns: number;
  /**
   * Words of the first turn, which brings the instructions and what the talk is about, and those that each
   * further turn adds; in tiny-haiku's vocabulary most are one token.
   */
  readonly firstWords: number;
  readonly wordsPerTurn: number;
  readonly answerTokens: number;
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

export type Ask = (turn: Turn) => Promise<Answer>;

const WORDS =
  'river stone morning light rain cloud moon shadow window city field night snow garden'.split(' ');

/**
 * Plays all conversations to their end, one request at a time: of each, its first turn, then of each,
 * in another order, its second, and so on.
 * @param seed of the texts and of the orders
 * @returns what each of those asked has answered
 */
export async function converse<Name extends string>(
  shape: Conversations,
  seed: number,
  asked: ReadonlyMap<Name, Ask>,
): Promise<ReadonlyMap<Name, readonly Answer[]>> {
  const random = createRandom(seed, 0);
  const sessions = Array.from({ length: shape.sessions }, (_, session) => session);
  const players = [...asked].map(([name, ask]) => {
    const said = sessions.map(() => '');
    return { name, ask, said, answers: new Array<Answer>() };
  });
  for (let turn = 0; turn < shape.turns; turn += 1) {
    for (const session of shuffled(sessions, random)) {
      const text = userTurn(turn === 0 ? shape.firstWords : shape.wordsPerTurn, random);
      for (const { ask, said, answers } of shuffled(players, random)) {
        const prompt = (said[session] ?? '') + text;
        const answer = await ask({ session, turn, prompt, maxTokens: shape.answerTokens });
        answers.push(answer);
        said[session] = `${prompt}${answer.text}<|end|>`;
      }
    }
  }
  return new Map(players.map(({ name, answers }) => [name, answers]));
}

/** As tiny-haiku's chat template renders it. */
function userTurn(words: number, random: SeededRandom): string {
  const text = Array.from({ length: words }, () => {
    return WORDS[Math.floor(random.next() * WORDS.length)] ?? '';
  });
  return `<|user|>${text.join(' ')}. Write a haiku about rain.<|end|><|assistant|>`;
}

/** Fisher and Yates. */
function shuffled<T>(values: readonly T[], random: SeededRandom): T[] {
  const left = [...values];
  return values.flatMap(() => left.splice(Math.floor(random.next() * left.length), 1));
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
