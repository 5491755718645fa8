/** Finds the scenarios of a Gherkin file with the tags that hold for each. */
import type { TestTitle } from './test-titles.ts';

const TAGS = /^@\S/;
const BLOCK =
  /^(?<keyword>Feature|Rule|Scenario Outline|Scenario Template|Scenario|Example):\s*(?<name>.*)$/;
const SCENARIOS = new Set(['Scenario Outline', 'Scenario Template', 'Scenario', 'Example']);

/**
 * One title a scenario: the feature's name, its own, and the tags of feature, rule and scenario, by
 * which a scenario says what it proves (`@OC-CTRL-2010`).
 */
export function scenarioTitles(text: string): readonly TestTitle[] {
  const found: TestTitle[] = [];
  let waiting: readonly string[] = [];
  let feature = { name: '', tags: [] as readonly string[] };
  let ruleTags: readonly string[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (TAGS.test(line)) {
      waiting = [...waiting, ...line.split(/\s+/)];
      continue;
    }
    const { keyword, name = '' } = BLOCK.exec(line)?.groups ?? {};
    if (keyword === undefined) continue;
    if (keyword === 'Feature') feature = { name, tags: waiting };
    else if (keyword === 'Rule') ruleTags = waiting;
    if (SCENARIOS.has(keyword)) {
      const tags = [...feature.tags, ...ruleTags, ...waiting].join(' ');
      found.push({
        title: `${feature.name} > ${name}${tags && ` (${tags})`}`,
        line: index + 1,
        mayBeSkipped: false,
      });
    }
    waiting = [];
  }
  return found;
}
