/** The suite, the command and the proofs on a replica that says one other token for one seed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { ProgramRun } from '../src/program-run.ts';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { within } from '../src/wait-for.ts';
import { proofOf } from './ask-daemon.ts';
import { simulated, type Bench } from './engines.ts';
import { firstDifference, judge, parseBundle, type ProofBundle } from './proof-bundle.ts';
import { aloneOnEach, SITUATIONS } from './situations.ts';

const DRIFT = { seed: 5, token: 11 } as const;
const SEEDS = 8;

let bench: Bench;
let daemon: DaemonProcess;
let bundle: ProofBundle;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-proof-'));
  bench = await simulated('drifting', startLlamaCppSim, undefined, '', { drift: DRIFT }).start();
  daemon = await startDaemon({ config: { pools: [bench.pool] } });
  await daemon.client.untilReady(2);
  bundle = await proofOf(daemon.client, { poolId: 'default', seeds: SEEDS });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

test('OC-TEST-7006 the suite finds exactly the token that differs', async () => {
  const stage = { daemon, bench };
  const seeds = Array.from({ length: SEEDS }, (_, seed) => seed);
  const { first, second } = await aloneOnEach(stage, seeds);
  const { mismatches } = judge('alone', first, second);
  expect(mismatches).toMatchObject([
    { seed: DRIFT.seed, replica_id: 'default-1', index: DRIFT.token },
  ]);
  const [neighbours] = SITUATIONS;
  const busy = (await neighbours?.play(stage, seeds)) ?? [];
  expect(judge('busy', first, busy).mismatches).toEqual(mismatches);
});

test('OC-TEST-7005 OC-TEST-7006 the proof of a running daemon names it too', () => {
  const [situation] = bundle.situations;
  expect(situation).toMatchObject({ runs: SEEDS, replicas: ['default-0', 'default-1'] });
  expect(situation?.mismatches).toMatchObject([{ seed: DRIFT.seed, index: DRIFT.token }]);
  expect(parseBundle(JSON.stringify(bundle))).toEqual(bundle);
});

test('OC-TEST-7005 what is no bundle is refused, with the place that is wrong', () => {
  const { seeds, ...rest } = bundle;
  expect(() => parseBundle(JSON.stringify(rest))).toThrow(/seeds/);
  const wrong = { ...bundle, seeds: [{ ...seeds[0], output_sha256: 'x' }] };
  expect(() => parseBundle(JSON.stringify(wrong))).toThrow('/seeds/0/output_sha256');
});

test('OC-TEST-7005 of two bundles the first difference is told: what is pinned before the bytes', () => {
  expect(firstDifference(bundle, { ...bundle, made_at: '2026-01-01T00:00:00Z' })).toBeUndefined();
  const newer = { ...bundle, pinned: { ...bundle.pinned, engine_version: 'b2' } };
  expect(firstDifference(bundle, newer)).toMatchObject({
    path: '/pinned/engine_version',
    after: 'b2',
  });
  const digest = '0'.repeat(64);
  const seeds = bundle.seeds.map((each) =>
    each.seed === 3 ? { ...each, tokens_sha256: digest } : each,
  );
  expect(firstDifference(bundle, { ...bundle, seeds })).toMatchObject({
    path: '/seeds/3/tokens_sha256',
    after: digest,
  });
});

test('OC-TEST-7005 OC-TEST-7006 the command keeps the proof, tells the token, and exits with 1', async () => {
  const [older, out] = [join(directory, 'older.json'), join(directory, 'out.json')];
  const changed = { ...bundle, pinned: { ...bundle.pinned, engine_version: 'b0' } };
  writeFileSync(older, JSON.stringify(changed));
  const flags = [
    ...['--base-url', daemon.url, '--pool', 'default', '--seeds', String(SEEDS)],
    ...['--out', out, '--compare', older],
  ];
  const run = new ProgramRun(join(PROJECT_ROOT, 'test-harness/determinism/main.ts'), flags, {});
  const exit = await within('the end of the command', run.exited, 30_000);
  expect(exit.code).toBe(1);
  expect(run.stdout).toContain(`seed ${DRIFT.seed}: default-`);
  expect(run.stdout).toContain(`at token ${DRIFT.token}`);
  expect(run.stdout).toContain('/pinned/engine_version: b0 then');
});

test.each([
  ['a daemon that is not there', ['--base-url', 'http://127.0.0.1:9'], 'ECONNREFUSED'],
  ['a pool that is not there', ['--pool', 'nowhere'], 'pool nowhere has 0 replica sets'],
  ['a bundle that is not there', ['--compare', 'nowhere.json'], 'nowhere.json'],
])('the command says in a line why it tells nothing: %s', async (_what, more, line) => {
  const flags = ['--base-url', daemon.url, '--pool', 'default', '--seeds', '1', ...more];
  const run = new ProgramRun(join(PROJECT_ROOT, 'test-harness/determinism/main.ts'), flags, {});
  const exit = await within('the end of the command', run.exited, 30_000);
  expect(exit.code).toBe(2);
  expect(run.stderr).toContain(line);
  expect(run.stderr).not.toContain('    at ');
});
