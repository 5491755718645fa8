/**
 * Transcripts of streams as Pact sees them: one text, matched as a whole by a regular expression that is
 * made from an example. Framing, order and number of events are fixed; ids, times and texts vary.
 */
import { SseDecoder } from '../src/sse-decoder.ts';

/** Between any two events may come `metrics`, about every second, and comments while nothing else comes. */
const BETWEEN = String.raw`(?:id: [0-9]+\nevent: metrics\ndata: \{[^\n]*\}\n\n|: [^\n]*\n\n)*`;
/** Fields whose values are fixed by the example. */
const FIXED = new Set(['code', 'finish_reason', 'i', 'retriable', 'tokens_out']);

/** The fields that the example has must come, in its order; others may stand between. */
export function transcriptPattern(example: string): string {
  const frames = [...new SseDecoder().push(Buffer.from(example))];
  const events = frames.map(({ event, data }, n) => {
    const fields = Object.entries(JSON.parse(data) as Record<string, unknown>).map(
      ([name, value]) => `"${name}":${valuePattern(name, value)}`,
    );
    const body = fields.join(String.raw`(?:,[^\n]*)?,`);
    const before = n === 0 ? '' : BETWEEN;
    return String.raw`${before}id: [0-9]+\nevent: ${event}\ndata: \{(?:[^\n]*,)?${body}(?:,[^\n]*)?\}\n\n`;
  });
  return `^${events.join('')}$`;
}

function valuePattern(name: string, value: unknown): string {
  if (FIXED.has(name)) return escaped(JSON.stringify(value));
  if (typeof value === 'number') return '[0-9.]+';
  if (typeof value === 'boolean') return '(?:true|false)';
  return String.raw`"(?:[^"\\\n]|\\.)*"`;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
