import { EngineError } from './types.ts';
import type { EngineName } from './types.ts';

const LF = 10;
const CR = 13;
const DATA_SPACE = 'data: ';

export interface SseDecoderOptions {
  readonly engine: EngineName;
  /** Longest line in bytes, and longest joined data of one event in characters. */
  readonly maxEventBytes: number;
  /** Called with the data of each event, in order, from within `feed`. */
  readonly onData: (data: string) => void;
}

/**
 * Incremental decoder for server-sent events (WHATWG HTML, section 9.2) as engines write them: lines
 * end in LF or CRLF, `data:` may be followed by one space, several data lines are joined with LF,
 * lines starting with `:` are keep-alives, an event without its closing blank line is dropped.
 * `event`, `id` and `retry` fields carry nothing an adapter needs and are skipped.
 *
 * Bytes are decoded only in whole lines. LF never occurs inside a UTF-8 sequence, so a code point
 * split across reads needs no care, and any chunking of a stream gives the same events.
 */
export class SseDecoder {
  readonly #options: SseDecoderOptions;
  /** The bytes of a line that has not ended yet. */
  #carry: Buffer[] = [];
  #carryBytes = 0;
  /** Data lines of the event being read. */
  #data: string | undefined;
  #atStart = true;

  constructor(options: SseDecoderOptions) {
    this.#options = options;
  }

  /** @throws EngineError `garbage` when a line or an event is longer than the bound. */
  feed(chunk: Buffer): void {
    const end = chunk[chunk.length - 1] === LF ? chunk.length : chunk.lastIndexOf(LF) + 1;
    if (end > 0) {
      let lines = end === chunk.length ? chunk : chunk.subarray(0, end);
      if (this.#carryBytes > 0) {
        lines = Buffer.concat([...this.#carry, lines]);
        this.#carry = [];
        this.#carryBytes = 0;
      }
      if (lines.length <= this.#options.maxEventBytes) this.#read(lines.toString('utf8'));
      else this.#readBounded(lines);
    }
    if (end < chunk.length) {
      this.#carry.push(end === 0 ? chunk : chunk.subarray(end));
      this.#carryBytes += chunk.length - end;
      this.#checkLine(this.#carryBytes);
    }
  }

  /** Large reads line by line, so that a line over the bound fails only after what came before it. */
  #readBounded(lines: Buffer): void {
    for (let start = 0; start < lines.length;) {
      const next = lines.indexOf(LF, start) + 1;
      this.#checkLine(next - 1 - start);
      this.#read(lines.toString('utf8', start, next));
      start = next;
    }
  }

  /** Reads whole lines; `text` ends in LF. */
  #read(text: string): void {
    let pos = 0;
    if (this.#atStart) {
      this.#atStart = false;
      if (text.charCodeAt(0) === 0xfeff) pos = 1;
    }
    while (pos < text.length) {
      const lf = text.indexOf('\n', pos);
      // Nearly every event is one `data: …` line and a blank one: hand it on without any joining.
      if (
        this.#data === undefined &&
        text.charCodeAt(lf + 1) === LF &&
        text.charCodeAt(lf - 1) !== CR &&
        text.startsWith(DATA_SPACE, pos)
      ) {
        this.#options.onData(text.slice(pos + DATA_SPACE.length, lf));
        pos = lf + 2;
        continue;
      }
      const end = lf > pos && text.charCodeAt(lf - 1) === CR ? lf - 1 : lf;
      this.#readLine(text, pos, end);
      pos = lf + 1;
    }
  }

  #readLine(text: string, start: number, end: number): void {
    if (start === end) {
      const data = this.#data;
      this.#data = undefined;
      if (data !== undefined) this.#options.onData(data);
      return;
    }
    const line = text.slice(start, end);
    let value: string;
    if (line.startsWith('data:')) value = line.slice(line.charCodeAt(5) === 32 ? 6 : 5);
    else if (line === 'data') value = '';
    else return;
    this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    this.#checkLine(this.#data.length);
  }

  #checkLine(length: number): void {
    if (length <= this.#options.maxEventBytes) return;
    throw new EngineError(
      'garbage',
      this.#options.engine,
      `a stream event is longer than ${this.#options.maxEventBytes} bytes`,
    );
  }
}
