import { EngineError } from '../api/types.ts';

/** Makes text that only grows out of the `text_output` of one stream. */
export interface TextOutput {
  /**
   * What a response adds to the text.
   * @throws EngineError `garbage` when it changes what came before
   */
  push(chunk: string): string;
  end(): TextEnd;
}

export interface TextEnd {
  /** What the end of the stream adds to the text. */
  readonly more: string;
  /** How many characters before that the last response took back, as it does with a stop string. */
  readonly withdrawn: number;
}

/** How often a chunk must begin with the one before it and go on, to be taken for all text so far. */
const GROWTHS_OF_CUMULATIVE = 2;

/**
 * @param mode what a response holds: only what is new (`delta`), all text so far (`cumulative`), or
 * undefined when the stream must tell. Then the first chunk is given out at once and the next ones
 * when it is clear. Chunks that all begin with the one before are read as `cumulative`, unless none of
 * them ever went on.
 */
export function createTextOutput(mode: 'delta' | 'cumulative' | undefined): TextOutput {
  if (mode === 'delta') return DELTA_TEXT;
  return mode === 'cumulative' ? new CumulativeText('') : new UntoldText();
}

const DELTA_TEXT: TextOutput = {
  push: (chunk) => chunk,
  end: () => ({ more: '', withdrawn: 0 }),
};

class CumulativeText implements TextOutput {
  #given: string;
  #last: string;

  constructor(given: string) {
    this.#given = given;
    this.#last = given;
  }

  push(chunk: string): string {
    const text = withoutOpenEnd(chunk);
    const given = this.#given;
    this.#last = chunk;
    if (text.startsWith(given)) {
      this.#given = text;
      return text.slice(given.length);
    }
    if (given.startsWith(text)) return '';
    throw new EngineError('garbage', 'triton', 'a response changes the text of the one before');
  }

  end(): TextEnd {
    const given = this.#given.length;
    return {
      more: this.#last.slice(given),
      withdrawn: Math.max(0, given - this.#last.length),
    };
  }
}

class UntoldText implements TextOutput {
  #told: TextOutput | undefined;
  /** The text as it would be if chunks were new text. */
  #joined = '';
  /** The text as it would be if chunks were all text so far. */
  #last = '';
  #first = '';
  #growths = 0;

  push(chunk: string): string {
    if (this.#told !== undefined) return this.#told.push(chunk);
    const text = withoutOpenEnd(chunk);
    const isFirst = this.#last === '';
    this.#joined += chunk;
    if (!text.startsWith(this.#last)) return this.#tell('delta');
    if (!isFirst && text.length > this.#last.length) this.#growths += 1;
    this.#last = text;
    if (isFirst) this.#first = text;
    if (isFirst) return text;
    return this.#growths < GROWTHS_OF_CUMULATIVE ? '' : this.#tell('cumulative');
  }

  end(): TextEnd {
    if (this.#told !== undefined) return this.#told.end();
    return { more: this.#tell(this.#growths > 0 ? 'cumulative' : 'delta'), withdrawn: 0 };
  }

  /** Settles how to read the stream, and gives out what was held back until then. */
  #tell(mode: 'delta' | 'cumulative'): string {
    const text = mode === 'delta' ? this.#joined : this.#last;
    this.#told = mode === 'delta' ? DELTA_TEXT : new CumulativeText(text);
    return text.slice(this.#first.length);
  }
}

/** A code point whose tokens have not all come yet is decoded as U+FFFD. */
function withoutOpenEnd(text: string): string {
  return text.endsWith('\uFFFD') ? text.replace(/\uFFFD+$/, '') : text;
}
