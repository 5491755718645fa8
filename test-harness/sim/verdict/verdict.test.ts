import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AS_IS, ONE_SLOW } from '../conditions.ts';
import { generateTrace } from '../generated-trace.ts';
import { TraceError } from '../trace-files.ts';
import { openTraceFolder, TRACE_FILES, WHOLE } from './settings.ts';
import { drawVerdict } from './verdict-chart.ts';
import { formatVerdict, verdictJson } from './verdict-report.ts';
import { judge, PARTS, type Section } from './verdict.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-verdict-'));
let sections: Section[];

/** Few rows of made-up traffic in the columns of the published traces. */
function writeTraces(): void {
  const rows = generateTrace({ requests: 90, seed: 2, meanGapMs: 100 });
  const csv = (head: string, line: (row: (typeof rows)[number]) => string) =>
    `${[head, ...rows.map(line)].join('\n')}\n`;
  const azure = csv('TIMESTAMP,ContextTokens,GeneratedTokens', (row) => {
    const at = new Date(row.arrivalMs).toISOString().replace('T', ' ').replace('Z', '0000');
    return `${at},${row.promptTokens},${row.outputTokens}`;
  });
  const files: Record<keyof typeof TRACE_FILES, string> = {
    mooncake: rows
      .map(({ arrivalMs, promptTokens, outputTokens, blocks }) =>
        JSON.stringify({
          timestamp: arrivalMs,
          input_length: promptTokens,
          output_length: outputTokens,
          hash_ids: blocks,
        }),
      )
      .join('\n'),
    conversation: azure,
    code: azure,
    arena: csv(
      'arrival_s,client,prompt_tokens,output_tokens',
      (row) => `${row.arrivalMs / 1000},${row.tenant},${row.promptTokens},${row.outputTokens}`,
    ),
    arxiv: csv(
      'num_prefill_tokens,num_decode_tokens',
      (row) => `${row.promptTokens},${row.outputTokens}`,
    ),
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, TRACE_FILES[name as keyof typeof TRACE_FILES]), content);
  }
}

beforeAll(() => {
  writeTraces();
  const sittings = [AS_IS, ONE_SLOW].map((condition) => ({ condition, slice: WHOLE }));
  sections = [...judge(openTraceFolder(folder), sittings)];
});
afterAll(() => rmSync(folder, { recursive: true }));

test('OC-SIM-7230 every part is judged under every condition, with figures for every policy', () => {
  const fleetsOfOne = 1;
  expect(sections).toHaveLength(2 * PARTS.length - fleetsOfOne);
  for (const { title, findings } of sections) {
    expect(findings.length, title).toBeGreaterThan(0);
    for (const { metric, setting, reached, limit = 0, beside } of findings) {
      const figures = [reached, limit, ...beside.map(({ value }) => value)];
      expect(figures.filter(Number.isNaN), `${metric}, ${setting}`).toEqual([]);
    }
  }
});

test('OC-SIM-7230 text, figures and picture tell the same', () => {
  const report = formatVerdict(sections);
  const figures = JSON.parse(verdictJson(sections)) as { metric: string; met?: boolean }[];
  const judged = figures.filter(({ met }) => met !== undefined);
  const met = judged.filter(({ met: isMet }) => isMet === true).length;
  expect(report).toContain(`${met} of ${judged.length} targets met`);
  const drawn = drawVerdict(sections);
  expect(drawn).toContain(`${met} of ${judged.length} met`);
  expect(`${report}${drawn}`).not.toMatch(/NaN|undefined/);
  for (const { metric } of figures) expect(report).toContain(metric);
});

test('OC-SIM-7232 parts can be chosen, and a folder that lacks a trace is refused', () => {
  const [only, ...others] = judge(
    openTraceFolder(folder),
    [{ condition: AS_IS, slice: WHOLE }],
    'IDLE',
  );
  expect(only?.title).toBe('Idle replicas');
  expect(others).toEqual([]);
  expect(() => openTraceFolder(join(folder, 'elsewhere'))).toThrow(TraceError);
});
