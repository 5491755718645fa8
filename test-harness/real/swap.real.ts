/** Models on real llama-servers that take turns: what one has in the cache is there again in its next turn. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { realPool } from '../llama-server/launch.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { TINY_HAIKU, type PoolInput } from '../src/temp-config.ts';

const SLOTS = 2;
const LONG = 'river stone morning light '.repeat(8);

const binary = inject('llamaServer');

/** Two models, of which one is loaded at a time. */
function startPair(flags: readonly string[] = []): Promise<DaemonProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'llama-orch-kv-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const pool = (id: string) => {
    const shared: PoolInput = {
      id,
      model: { id, path: TINY_HAIKU },
      replicas: 1,
      slots: SLOTS,
      keep_alive_ms: -1,
      swap: { min_residency_ms: 0 },
      // A busy machine is no reason to give up on a slot.
      timeouts: { control_ms: 30_000 },
    };
    return realPool(binary, shared, ['--slot-save-path', `${folder}/`, ...flags]);
  };
  return startDaemon({ config: { pools: [pool('alpha'), pool('beta')] } });
}

/** A turn of a session on the first model; tells whether it was warm, and how much of it was cached. */
async function turn({ client }: DaemonProcess, sessionId: string, prompt: string) {
  const { events, terminal, text } = await client.run({
    model_ref: 'alpha',
    session_id: sessionId,
    determinism: 'best_effort',
    seed: 7,
    max_tokens: 12,
    prompt,
  });
  const [started] = events;
  if (started?.event !== 'started' || terminal?.event !== 'end') throw new Error('did not run');
  const { cached_tokens: cached = 0, tokens_in: tokensIn = 0 } = terminal.data;
  return { isWarm: started.data.kv_warmth === true, share: cached / tokensIn, text };
}

const makeRoom = ({ client }: DaemonProcess) =>
  client.run({ model_ref: 'beta', prompt: 'rain', max_tokens: 4 });

test('OC-CTRL-2088 sessions go on warm, with the same text, each time their model is back', async () => {
  await using daemon = await startPair();
  const sessions = Array.from({ length: SLOTS }, (_, n) => [randomUUID(), `${n} ${LONG}`] as const);
  const first = new Map<string, string>();
  for (const [id, prompt] of sessions) {
    const { isWarm, text } = await turn(daemon, id, prompt);
    expect(isWarm).toBe(false);
    first.set(id, text);
  }
  for (let round = 0; round < 2; round++) {
    await makeRoom(daemon);
    for (const [id, prompt] of sessions) {
      const { isWarm, share, text } = await turn(daemon, id, prompt);
      expect(isWarm).toBe(true);
      expect(share).toBeGreaterThan(0.5);
      expect(text).toBe(first.get(id));
    }
  }
});

test('OC-ADAPT-5017 slots that llama-server emptied before they were saved are not believed to be warm', async () => {
  await using daemon = await startPair([
    ...['--kv-unified', '--cache-idle-slots', '--cache-ram', '64'],
  ]);
  const sessions = Array.from({ length: SLOTS }, (_, n) => [randomUUID(), `${n} ${LONG}`] as const);
  for (const [id, prompt] of sessions) await turn(daemon, id, prompt);
  await makeRoom(daemon);
  const told: boolean[] = [];
  for (const [id, prompt] of sessions) {
    const { isWarm, share } = await turn(daemon, id, prompt);
    expect(isWarm).toBe(share > 0.5);
    told.push(isWarm);
  }
  expect(told).toContain(false);
});
