/** The text of an SSE body as frames (https://html.spec.whatwg.org/multipage/server-sent-events.html). */

export interface SseFrame {
  readonly id: string | undefined;
  readonly event: string;
  readonly data: string;
}

export class SseDecoder {
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  #rest = '';
  /** Comment lines so far. */
  comments = 0;

  /** @throws TypeError for bytes that are not UTF-8 */
  push(bytes: Uint8Array): SseFrame[] {
    const text = this.#rest + this.#utf8.decode(bytes, { stream: true });
    const blocks = text.split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.map((block) => this.#frame(block)).filter((frame) => frame !== undefined);
  }

  /** True when the body ended between two frames. */
  get isAtBoundary(): boolean {
    return this.#rest === '';
  }

  #frame(block: string): SseFrame | undefined {
    let id: string | undefined;
    let event = 'message';
    const data: string[] = [];
    for (const line of block.split('\n')) {
      const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (line.startsWith(':')) this.comments += 1;
      else if (field === 'id') id = value;
      else if (field === 'event') event = value;
      else if (field === 'data') data.push(value);
    }
    return data.length === 0 ? undefined : { id, event, data: data.join('\n') };
  }
}
