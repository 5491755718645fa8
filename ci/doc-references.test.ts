import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { anchorsOf, brokenReferences } from './doc-references.ts';
import { sourceFiles } from './requirements/repository-files.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const PLACES = {
  has: (path: string) => path === 'docs' || path.endsWith('.md'),
  scripts: new Set(['bench']),
};

function broken(text: string, others: Readonly<Record<string, string>> = {}): readonly string[] {
  return brokenReferences(new Map([['docs/a.md', text], ...Object.entries(others)]), PLACES);
}

test('OC-TEST-7906 every link, anchor and npm script that a document names is there', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const documents = new Map([...sourceFiles(root)].filter(([path]) => path.endsWith('.md')));
  expect(documents.size).toBeGreaterThan(30);
  documents.set('COMPLIANCE.md', readFileSync(`${root}COMPLIANCE.md`, 'utf8'));
  const repository = {
    has: (path: string) => existsSync(`${root}${path}`),
    scripts: new Set(Object.keys(scripts)),
  };
  expect(brokenReferences(documents, repository)).toEqual([]);
});

test('OC-TEST-7906 a link to a file that is not there is reported', () => {
  expect(broken('See [this](b.txt) and ![that](../c.svg).')).toEqual([
    'docs/a.md: b.txt is not there',
    'docs/a.md: ../c.svg is not there',
  ]);
  expect(broken('See [it][one].\n\n[one]: gone.txt')).toEqual(['docs/a.md: gone.txt is not there']);
});

test('OC-TEST-7906 an anchor without its heading is reported, here and in another document', () => {
  const text = '# Here\n[a](#here) [b](#there) [c](b.md#one-more) [d](b.md#two) [e](../docs#x)';
  expect(broken(text, { 'docs/b.md': '## One more' })).toEqual([
    'docs/a.md: #there has no such heading',
    'docs/a.md: b.md#two has no such heading',
    'docs/a.md: ../docs#x has an anchor, but is no document',
  ]);
});

test('OC-TEST-7906 a script that package.json has not is reported', () => {
  expect(broken('`npm run bench -- --quick`, `npm run --silent bench`, `npm run benhc`')).toEqual([
    'docs/a.md: npm run benhc is no script of package.json',
  ]);
});

test('code and other places on the net are no links', () => {
  expect(broken('`[a](b.txt)`\n```\n[a](b.txt)\n```\n[b](https://example.org/b.txt)')).toEqual([]);
});

test('anchors are those of GitHub', () => {
  const text =
    '# What it *costs*, and `why`\n## Try it\n## Try it\n```\n# no heading\n```\n### [A](b.md) — x';
  expect([...anchorsOf(text)]).toEqual(['what-it-costs-and-why', 'try-it', 'try-it-1', 'a--x']);
});
