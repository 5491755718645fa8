/** The last lines of an output, however much of it there is. */
export class LineRing {
  readonly #maxLines: number;
  readonly #maxChars: number;
  readonly #lines: string[] = [];
  #partial = '';

  constructor(maxLines: number, maxChars: number) {
    this.#maxLines = maxLines;
    this.#maxChars = maxChars;
  }

  /** @returns the lines that this piece completed, each cut to the maximal length */
  push(piece: string): readonly string[] {
    const lines = piece.split('\n');
    lines[0] = this.#partial + (lines[0] ?? '');
    this.#partial = (lines.pop() ?? '').slice(0, this.#maxChars);
    const complete = lines.map((line) => line.slice(0, this.#maxChars).trimEnd());
    this.#lines.push(...complete.filter((line) => line !== '').slice(-this.#maxLines));
    this.#lines.splice(0, this.#lines.length - this.#maxLines);
    return complete;
  }

  /** Those kept, the newest last, finished or not. */
  lines(): readonly string[] {
    return this.#partial.trim() === '' ? [...this.#lines] : [...this.#lines, this.#partial.trim()];
  }
}
