/** However many there are of something, a family stays within its series (OC-METRICS-7111). */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import { DaemonClient } from '../src/daemon-client.ts';
import { runDaemon, startDaemon } from '../src/daemon-process.ts';
import { parseMetrics } from '../src/metrics-text.ts';
import { externalPool, writeConfig } from '../src/temp-config.ts';
import { readContract } from './contract-list.ts';
import { checkScrape } from './scrape-check.ts';
import { sha256 } from '../src/stream-check.ts';

/** As many as a configuration may name. */
const TENANTS = 1_000;
const POOLS = 64;

const tenants = Array.from({ length: TENANTS }, (_, n) => ({ id: `tenant-${n}` }));
const keyOf = (n: number) => `lo_${createHash('sha256').update(`${n}`).digest('base64url')}`;
const keys = tenants.map(({ id }, n) => ({
  id,
  tenant: id,
  sha256: sha256(keyOf(n)),
  scopes: ['admin' as const],
}));

test('OC-METRICS-7111 a thousand tenants and 64 pools fit, with tasks of many of them', async () => {
  await using sim = await startLlamaCppSim({ tokens: 2 });
  await using daemon = await startDaemon({
    config: {
      tenants,
      auth: { keys },
      pools: Array.from({ length: POOLS }, (_, n) =>
        externalPool([n === 0 ? sim.url : `http://127.0.0.1:9/${n}`], {
          id: `pool-${n}`,
          model: { id: `model-${n}` },
        }),
      ),
    },
  });
  const clients = [0, 1, 500, 998].map(
    (n) => new DaemonClient(() => daemon.url, { authorization: `Bearer ${keyOf(n)}` }),
  );
  const [operator] = clients;
  await operator?.untilReady(1, 'pool-0');
  for (const client of clients) await client.run({ prompt: 'p', model_ref: 'model-0' });
  const exposition = (await operator?.call('getMetrics'))?.text ?? '';
  expect(checkScrape(readContract(), exposition)).toEqual([]);
  const { samples } = parseMetrics(exposition);
  expect(samples.filter(({ name }) => name === 'admission_share')).toHaveLength(2 * TENANTS);
  expect(samples.filter(({ name }) => name === 'replicas')).toHaveLength(9 * POOLS);
  for (const client of clients) await client[Symbol.asyncDispose]();
});

test('OC-METRICS-7111 ten thousand tenants are no configuration', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-tenants-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const many = Array.from({ length: 10_000 }, (_, n) => ({ id: `tenant-${n}` }));
  const exit = await runDaemon(['--config', writeConfig(directory, { tenants: many })]);
  expect(exit.code).not.toBe(0);
  expect(exit.stderr).toContain('tenants');
});
