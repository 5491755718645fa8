import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { sharedDevices } from './cross-checks.ts';
import { loadConfig } from './load-config.ts';

function examplesOf(document: string): readonly string[] {
  const path = fileURLToPath(new URL(`../../../docs/${document}`, import.meta.url));
  const blocks = readFileSync(path, 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms);
  return [...blocks].map(([, yaml = '']) => yaml);
}

const EXAMPLES = examplesOf('engines.md');
const FILE = '/etc/orch/llama-orch.yaml';

/** Loads an example where the variables and files that it names are there. */
function load(yaml: string) {
  return loadConfig({
    argv: ['--config', FILE],
    env: { VLLM_API_KEY: 'sk-1', PROVIDER_API_KEY: 'sk-2' },
    cwd: '/',
    projectRoot: '/',
    readFile: (path) => {
      if (path === FILE) return yaml;
      if (path === '/etc/orch/templates/llama-3.jinja') return '{{ messages }}';
      throw Object.assign(new Error('no file'), { code: 'ENOENT' });
    },
  });
}

test('OC-CONFIG-6013 every engine has an example that loads', () => {
  const engines = EXAMPLES.flatMap((yaml) => load(yaml).config.pools.map(({ engine }) => engine));
  expect(new Set(engines)).toEqual(new Set(['llamacpp', 'vllm', 'tgi', 'triton', 'openai']));
});

test('the example of pools that share a device loads, and they do', () => {
  const pools = examplesOf('sharing-devices.md').flatMap((yaml) => load(yaml).config.pools);
  expect(pools.map(({ id }) => id)).toEqual(['coder', 'writer']);
  for (const pool of pools) {
    expect(pool.keep_alive_ms).toBeDefined();
    expect(sharedDevices(pool)).toEqual(['gpu:0']);
  }
});

test('every variable and file that an example names is read', () => {
  const inputs = EXAMPLES.flatMap((yaml) => [...load(yaml).engineInputs]);
  const read = new Map(inputs);
  expect(read.get('qwen')?.apiKey).toBe('sk-1');
  expect(read.get('provider')?.apiKey).toBe('sk-2');
  expect(read.get('trt')?.chatTemplate).toBe('{{ messages }}');
});
