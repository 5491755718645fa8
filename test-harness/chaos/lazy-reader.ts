/**
 * A reader of a stream that takes nothing until it is told to, and then keeps no more of it than its text: a
 * thousand of them must not cost the one who tests what they must not cost the daemon.
 */
import { get, type IncomingMessage } from 'node:http';
import type { TaskEvents } from '@llama-orch/contracts';
import { SseDecoder } from '../src/sse-decoder.ts';
import { within } from '../src/wait-for.ts';

const READ_WITHIN_MS = 180_000;

export class LazyReader {
  readonly #response: IncomingMessage;
  readonly #decoder = new SseDecoder();
  #text = '';
  #tokens = 0;
  #violation: string | undefined;
  #hasEnded = false;

  private constructor(response: IncomingMessage) {
    this.#response = response;
    // Whoever leaves is no failure; whoever is left is seen by the end that does not come.
    response.on('error', () => undefined);
  }

  /** Resolves with the head of the answer. */
  static async open(url: string): Promise<LazyReader> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { agent: false, headers: { accept: 'text/event-stream' } }, resolve).on(
        'error',
        reject,
      );
    });
    return new LazyReader(response);
  }

  /** Reads all of it. @returns what is wrong with it, or undefined */
  async readAll(expectedText: string): Promise<string | undefined> {
    const closed = new Promise((resolve) => this.#response.once('close', resolve));
    this.#response.on('data', (bytes: Buffer) => this.#take(bytes));
    await within('the end of a stream', closed, READ_WITHIN_MS);
    if (this.#violation !== undefined) return this.#violation;
    if (!this.#hasEnded) return `its stream broke after ${this.#tokens} tokens`;
    return this.#text === expectedText ? undefined : 'its text is not all of the text';
  }

  leave(): void {
    this.#response.destroy();
  }

  #take(bytes: Buffer): void {
    for (const { event, data } of this.#decoder.push(bytes)) {
      if (event === 'end') this.#hasEnded = true;
      if (event !== 'token') continue;
      const { t, i } = JSON.parse(data) as TaskEvents['token'];
      if (i !== this.#tokens) this.#violation ??= `token ${i} where ${this.#tokens} was due`;
      this.#tokens += 1;
      this.#text += t;
    }
  }
}
