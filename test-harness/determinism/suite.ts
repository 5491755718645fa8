/**
 * The suite: every situation on one engine, held against what each seed gave alone, and a proof bundle of it.
 *
 * `LLAMA_ORCH_DETERMINISM_SEEDS` (1 to 64) is how many seeds the costly situations play: 8 every day, 64 in
 * the long form. Of embedded engines and simulators all other situations always play all 64.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import type { Bench, EngineUnderTest } from './engines.ts';
import { pinnedSetOf } from './pinned-set.ts';
import {
  judge,
  proofBundle,
  seedProof,
  writeBundle,
  type SeedRun,
  type SituationProof,
} from './proof-bundle.ts';
import { aloneOnEach, MAX_TOKENS, PROMPT, SITUATIONS, type Stage } from './situations.ts';

export const ALL_SEEDS = 64;
const COSTLY_SEEDS = Math.min(
  ALL_SEEDS,
  Math.max(1, Number(process.env['LLAMA_ORCH_DETERMINISM_SEEDS'] ?? 8)),
);
const LIMIT_MS = 600_000;

/** Registers the suite of one engine with vitest. @param title with the requirements that it proves there */
export function describeDeterminism(title: string, engine: EngineUnderTest): void {
  describe(title, () => {
    let bench: Bench;
    let daemon: DaemonProcess;
    let stage: Stage;
    let alone: readonly SeedRun[];
    let elsewhere: readonly SeedRun[];
    const proofs: SituationProof[] = [];
    const seeds = Array.from({ length: ALL_SEEDS }, (_, seed) => seed);

    beforeAll(async () => {
      bench = await engine.start();
      daemon = await startDaemon({ config: { pools: [bench.pool] } });
      stage = { daemon, bench };
      await daemon.client.untilReady(2);
      ({ first: alone, second: elsewhere } = await aloneOnEach(stage, seeds));
    }, LIMIT_MS);

    afterAll(async () => {
      await daemon[Symbol.asyncDispose]();
      await bench[Symbol.asyncDispose]();
    });

    test('different seeds give different bytes', () => {
      const texts = new Set(alone.map(({ tokens }) => tokens.join('')));
      expect(texts.size).toBeGreaterThan(ALL_SEEDS / 2);
    });

    test('the same bytes alone on the other replica', () => {
      const proof = judge('alone on the other replica', alone, elsewhere);
      proofs.push(proof);
      expect(proof.mismatches).toEqual([]);
    });

    test.each(SITUATIONS)(
      'the same bytes $name',
      async ({ name, isCostly, play }) => {
        const runs = await play(stage, isCostly ? seeds.slice(0, COSTLY_SEEDS) : seeds);
        const proof = judge(name, alone, runs);
        proofs.push(proof);
        expect(proof.mismatches).toEqual([]);
        expect(runs.length).toBeGreaterThan(0);
      },
      LIMIT_MS,
    );

    test('the run leaves a proof that names all replicas', async () => {
      const { pinned, replicaIds } = await pinnedSetOf(daemon.client, 'default');
      const bundle = proofBundle({
        pinned,
        seeds: alone.map(seedProof),
        situations: proofs,
        prompt: PROMPT,
        maxTokens: MAX_TOKENS,
      });
      const name = engine.name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
      writeBundle(`.cache/determinism/${name}.json`, bundle);
      expect(new Set(proofs.flatMap(({ replicas }) => replicas))).toEqual(new Set(replicaIds));
    });
  });
}
