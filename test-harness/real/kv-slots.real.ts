/** The KV that llama-server's slots keep: reused, erased, saved and restored. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { generate, requestOf } from './completion.ts';
import { CTX, serve, serveAll, SLOTS } from './server-fixture.ts';

const kvFolder = mkdtempSync(join(tmpdir(), 'llama-orch-kv-'));
const flags = ['--slot-save-path', `${kvFolder}/`];
const all = serveAll(flags);
afterAll(() => rmSync(kvFolder, { recursive: true, force: true }));

const LONG = `<|user|>${'river stone morning light '.repeat(8)}<|end|><|assistant|>`;
const warm = requestOf({ prompt: LONG, deterministic: false, slotId: 1 });

test('OC-ADAPT-5014 a strict task never reuses a prefix, a best-effort one does unless told cold', async () => {
  await generate(all.adapter, warm);
  const again = await generate(all.adapter, warm);
  expect(again.result.slotId).toBe(1);
  expect(again.result.cachedTokens).toBeGreaterThan(again.result.tokensIn / 2);
  const cold = await generate(all.adapter, { ...warm, reuseKv: false });
  expect(cold.result.cachedTokens).toBe(0);
  const strict = await generate(all.adapter, { ...warm, deterministic: true });
  expect(strict.result.cachedTokens).toBe(0);
});

test('OC-ADAPT-5017 an erased slot is cold; without a folder for slots nothing is erased', async () => {
  await generate(all.adapter, warm);
  expect(await all.adapter.slots?.erase(1)).toBe(true);
  expect((await generate(all.adapter, warm)).result.cachedTokens).toBe(0);

  await using bare = await serve();
  expect(await bare.adapter.slots?.erase(0)).toBe(false);
  expect(await bare.adapter.slots?.save(0, 'x.bin')).toBe(false);
});

test('a slot is saved, erased, and warm again from its file, in another slot too', async () => {
  const first = await generate(all.adapter, warm);
  expect(await all.adapter.slots?.save(1, 'session.bin')).toBe(true);
  expect(await all.adapter.slots?.erase(1)).toBe(true);
  expect(await all.adapter.slots?.restore(2, 'session.bin')).toBe(true);
  const elsewhere = await generate(all.adapter, { ...warm, slotId: 2 });
  expect(elsewhere.result.slotId).toBe(2);
  expect(elsewhere.result.cachedTokens).toBeGreaterThan(elsewhere.result.tokensIn / 2);
  expect(elsewhere.text).toBe(first.text);
  expect(await all.adapter.slots?.restore(2, 'never-saved.bin')).toBe(false);
});

test('a slot that was saved by one server is warm in another', async () => {
  const first = await generate(all.adapter, warm);
  expect(await all.adapter.slots?.save(1, 'moved.bin')).toBe(true);
  await using other = await serve({ slots: SLOTS, ctx: CTX, flags });
  expect(await other.adapter.slots?.restore(0, 'moved.bin')).toBe(true);
  const moved = await generate(other.adapter, { ...warm, slotId: 0 });
  expect(moved.result.cachedTokens).toBeGreaterThan(moved.result.tokensIn / 2);
  expect(moved.text).toBe(first.text);
});
