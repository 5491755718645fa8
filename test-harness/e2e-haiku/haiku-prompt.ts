/** A prompt that nobody can have an answer to beforehand: it holds the minute in words, and a nonce. */

const SMALL = [
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'],
  ...['eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen'],
  'nineteen',
];
const TENS = ['', '', 'twenty', 'thirty', 'forty', 'fifty'];

/** @param n 0 to 59 */
export function inWords(n: number): string {
  const small = SMALL[n];
  if (small !== undefined) return small;
  const unit = n % 10;
  const tens = TENS[Math.floor(n / 10)] ?? '';
  return unit === 0 ? tens : `${tens}-${String(SMALL[unit])}`;
}

export interface HaikuPrompt {
  /** Local time. */
  readonly date: Date;
  readonly nonce: string;
}

/** The request stands last: a model as small as tiny-haiku follows what it read last. */
export function haikuPrompt({ date, nonce }: HaikuPrompt): string {
  const time = `minute ${inWords(date.getMinutes())} of hour ${inWords(date.getHours())}`;
  return `It is ${time}, ${nonce}. Write a haiku about rain.`;
}

/** The lines that hold something. */
export function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
