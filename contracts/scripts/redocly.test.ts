import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { CONTRACT_FILES } from '../src/contract-files.ts';
import { object, operationsOf, readContract } from './contract-document.ts';
import { buildDocs, lint } from './redocly.ts';

// A program is started for each file, on a machine that may be busy.
vi.setConfig({ testTimeout: 120_000 });

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-redocly-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('OC-TEST-7506 the contracts pass the linter', () => {
  const { status, output } = lint();
  expect(status, output).toBe(0);
  expect(output).not.toMatch(/\d+ (warning|error)/);
});

test.each([
  ['an operation that is named twice', 'operationId: getTask\n', 'operationId: listTasks\n'],
  ['an example that does not fit', 'value: { prompt: hello }', 'value: { prompt: 1 }'],
  ['a path parameter that is not declared', '/v1/tasks/{id}/cancel:', '/v1/tasks/{name}/cancel:'],
])('OC-TEST-7504 the linter tells of %s', (_, from, to) => {
  const text = readFileSync(CONTRACT_FILES.data, 'utf8');
  expect(text).toContain(from);
  const file = join(directory, 'data.yaml');
  writeFileSync(file, text.replace(from, to));
  expect(lint([file]).status).toBe(1);
});

test('OC-TEST-7507 a page is rendered for each contract, and needs nothing from elsewhere', async () => {
  const pages = buildDocs(directory);
  expect(pages.map((page) => basename(page))).toEqual(['data.html', 'control.html', 'pool.html']);
  const contracts = await Promise.all(Object.values(CONTRACT_FILES).map(readContract));
  for (const [n, page] of pages.entries()) {
    const html = readFileSync(page, 'utf8');
    const { paths } = contracts[n]!.document;
    const operations = operationsOf(contracts).filter(({ path }) => path in object(paths));
    expect(operations.length).toBeGreaterThan(0);
    for (const { operationId } of operations) {
      expect(html).toContain(`"operationId":"${operationId}"`);
    }
    const withoutScripts = html.replaceAll(/<script[^>]*>[\s\S]*?<\/script>/g, '');
    expect(withoutScripts).toContain('<div id="redoc">');
    expect(withoutScripts).not.toMatch(/<(script|link|img|iframe)\b[^>]*(src|href)=/);
    expect(html).not.toContain('cdn.redocly.com/redoc/');
  }
});
