/**
 * Reads the requirements of a spec. Each is a list item that begins with its id in bold, or with
 * several that share the statement:
 *
 *     - **OC-CORE-1001** Each pool MUST have one queue, bounded in total …
 *
 * The item's text may carry marks in backticks: `status: planned` for a requirement that is not
 * implemented, `planned: WHAT` for the part of one that is not, and `proof: COMMAND` for one that
 * is proven by something other than a test.
 */
import type { Fault } from './requirement-ids.ts';
import { idsIn } from './requirement-ids.ts';

export type Level = 'MUST' | 'SHOULD' | 'MAY';

export interface Requirement {
  readonly id: string;
  /** Path of the spec that states it, and the line. */
  readonly spec: string;
  readonly line: number;
  /** The strongest of the words that the statement uses. */
  readonly level: Level;
  /** The statement's first sentence. */
  readonly title: string;
  /** The statement whole, on one line. */
  readonly statement: string;
  readonly planned: boolean;
  /** What part of it is not implemented, in the spec's words. */
  readonly plannedParts: readonly string[];
  /** The command that proves it, where no test does. */
  readonly proof: string | undefined;
}

export interface SpecReading {
  readonly requirements: readonly Requirement[];
  readonly faults: readonly Fault[];
}

const ITEM =
  /^- (?<ids>\*\*[A-Z]+-[A-Z0-9-]*\d\*\*(?:, \*\*[A-Z]+-[A-Z0-9-]*\d\*\*)*)\s+(?<text>.*)$/;
const BOLD_ID = /\*\*(?:ORCH|OC)-[A-Z0-9-]*\d\*\*/;
const LEVELS: readonly Level[] = ['MUST', 'SHOULD', 'MAY'];

/** All requirements that a spec states, and what is wrong with how it states them. */
export function readSpec(path: string, text: string): SpecReading {
  const lines = text.split('\n');
  const requirements: Requirement[] = [];
  const faults: Fault[] = [];
  for (const [index, line] of lines.entries()) {
    const item = ITEM.exec(line);
    const rest = item?.groups?.['text'] ?? line;
    if (BOLD_ID.test(rest)) {
      const message = 'a bold id stands elsewhere than at the beginning of a list item';
      faults.push({ at: `${path}:${index + 1}`, message });
    }
    if (!item) continue;
    const body = [rest, ...continuation(lines, index + 1)];
    const statement = oneLine(body);
    const level = LEVELS.find((word) => new RegExp(`\\b${word}\\b`).test(statement));
    for (const id of idsIn(item.groups?.['ids'] ?? '')) {
      if (!level) {
        const message = `${id} says neither MUST, SHOULD nor MAY`;
        faults.push({ at: `${path}:${index + 1}`, message });
      }
      requirements.push({
        id,
        spec: path,
        line: index + 1,
        level: level ?? 'MUST',
        title: firstSentence(body),
        statement,
        planned: statement.includes('`status: planned`'),
        plannedParts: marks(statement, 'planned'),
        proof: marks(statement, 'proof')[0],
      });
    }
  }
  return { requirements, faults };
}

/** The indented lines that belong to the item above them, blank ones between them included. */
function continuation(lines: readonly string[], from: number): readonly string[] {
  const end = lines.findIndex((line, i) => i >= from && /^\S/.test(line));
  return lines.slice(from, end < 0 ? lines.length : end);
}

function oneLine(lines: readonly string[]): string {
  return lines.join(' ').replaceAll(/\s+/g, ' ').trim();
}

/** Values of the marks `KEY: value` of a statement. */
function marks(statement: string, key: 'planned' | 'proof'): readonly string[] {
  return [...statement.matchAll(new RegExp(`\`${key}: ([^\`]+)\``, 'g'))].map((m) => m[1] ?? '');
}

function firstSentence(body: readonly string[]): string {
  const list = body.findIndex((line, i) => i > 0 && /^\s+- /.test(line));
  const prose = oneLine(list < 0 ? body : body.slice(0, list));
  return (/^.+?\.(?=\s|$)/.exec(prose)?.[0] ?? prose).replace(/\s*`status: planned`\.?$/, '');
}
