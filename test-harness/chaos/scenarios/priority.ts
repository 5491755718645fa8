/** Priority inversion: interactive tasks of one who asks for little, under a flood of somebody else's. */
import type { TaskRequest } from '@llama-orch/contracts';
import { DEFAULT_TUNING } from '@llama-orch/orchestrator-core';
import { DaemonClient } from '../../src/daemon-client.ts';
import type { ConfigInput } from '../../src/temp-config.ts';
import { readLedgerRows } from '../ledger-file.ts';
import { planLoadTask } from '../load-plan.ts';
import { judgeOvertakings, mostOvertakings, overtakings } from '../overtaking.ts';
import type { Scenario, ScenarioOptions, ScenarioReport } from '../scenario.ts';
import { openStage } from '../stage.ts';
import { sha256 } from '../../src/stream-check.ts';
import { newKey } from '../../src/new-key.ts';
import { uuidOf } from '../../src/named-uuid.ts';

const FLOOD_SLOTS = 2;
const FLOOD_OUTPUT = 100;
const SHORT_OUTPUT = 10;
/** Fewer than the ledger looks up at once; they are admitted much faster than they run. */
const POSTS_AT_ONCE = 200;
/** Of the flood's tasks, one interactive task for so many. */
const FLOOD_A_TASK = 5;
/** A task's service is at least that of its output: the prompt may be cached. */
const FLOOD_COST = DEFAULT_TUNING.outputCost * FLOOD_OUTPUT;
const WEIGHTS = { interactive: 8, batch: 1 } as const;

export const priority: Scenario = {
  name: 'priority',
  about: 'floods a pool with batch tasks, then with tasks of one tenant, and counts who goes first',
  tasks: { short: 60, long: 2_000 },
  async run(options) {
    const batch = await runFlood(options, 'batch');
    const tenant = await runFlood(options, 'interactive');
    return {
      figures: [...batch.figures, ...tenant.figures],
      violations: [...batch.violations, ...tenant.violations],
    };
  },
};

/** @param kind the class of the flood, which is another tenant's when it is interactive */
async function runFlood(
  { seed, tasks, onEvent }: ScenarioOptions,
  kind: 'batch' | 'interactive',
): Promise<ScenarioReport> {
  const keys = { crowd: newKey(), one: newKey(), watch: newKey() };
  const name = kind === 'batch' ? 'a flood of batch tasks' : "one tenant's flood";
  await using stage = await openStage({
    sim: { slots: FLOOD_SLOTS, tokenDelayMs: 1 },
    pool: { slots: FLOOD_SLOTS, queue: { capacity: tasks + 100 } },
    config: accessOf(keys),
    daemon: { headers: { authorization: `Bearer ${keys.watch}` } },
  });
  const { daemon } = stage;
  await using one = clientOf(() => daemon.url, kind === 'batch' ? keys.crowd : keys.one);
  await using crowd = clientOf(() => daemon.url, keys.crowd);
  const flood = Array.from({ length: tasks }, (_, n) => taskOf(seed, n, kind, FLOOD_OUTPUT));
  for (let from = 0; from < tasks; from += POSTS_AT_ONCE) {
    await Promise.all(flood.slice(from, from + POSTS_AT_ONCE).map((task) => crowd.admit(task)));
  }
  onEvent?.(`${name}: ${tasks} tasks wait`);
  // One at a time, each after the end of the one before: far less than a share.
  const few = Array.from({ length: Math.max(1, Math.floor(tasks / FLOOD_A_TASK)) }, (_, n) =>
    taskOf(seed, tasks + n, 'interactive', SHORT_OUTPUT),
  );
  const violations: string[] = [];
  for (const task of few) {
    const { terminal } = await one.run(task);
    if (terminal?.event !== 'end') violations.push(`${task.task_id}: ended with an error`);
  }
  for (const { task_id: id } of flood) {
    const { state } = await crowd.untilEnded(id, 240_000);
    if (state !== 'completed') violations.push(`${id}: of the flood, is ${state}`);
  }
  const { code } = await daemon.terminate();
  if (code !== 0) violations.push(`the stop exited with ${code}`);

  const idsOf = (of: readonly { readonly task_id: string }[]) => new Set(of.map((t) => t.task_id));
  const rows = readLedgerRows(daemon.dataDir);
  const found = overtakings(rows, idsOf(few), idsOf(flood));
  const most = mostOvertakings(
    DEFAULT_TUNING.fairnessWindow,
    WEIGHTS[kind],
    FLOOD_COST,
    FLOOD_SLOTS,
  );
  const passed = overtakings(rows, idsOf(flood), idsOf(few));
  const reached = Math.max(0, ...passed.values());
  // Else there was no flood while they came, and nothing was shown.
  if (reached <= most) violations.push(`${name}: only ${reached} went before any of it`);
  violations.push(...judgeOvertakings(found, idsOf(few), most).map((each) => `${name}: ${each}`));
  return {
    figures: [
      [name, tasks],
      ['  interactive tasks beside it', few.length],
      ['  most that went before one of them', Math.max(0, ...found.values())],
      ['  may have gone', most],
      ['  most of them before one of the flood', reached],
    ],
    violations,
  };
}

function taskOf(
  seed: number,
  n: number,
  kind: 'batch' | 'interactive',
  output: number,
): TaskRequest & { readonly task_id: string } {
  const shape = { seed, shortestOutput: output, longestOutput: output };
  const { request } = planLoadTask({ ...shape, request: { priority: kind } }, n);
  return { ...request, task_id: uuidOf(`${kind} ${output} ${seed} ${n}`), determinism: 'strict' };
}

function clientOf(url: () => string, key: string): DaemonClient {
  return new DaemonClient(url, { authorization: `Bearer ${key}` });
}

function accessOf(keys: Readonly<Record<'crowd' | 'one' | 'watch', string>>): ConfigInput {
  const entry = (
    id: keyof typeof keys,
    tenant: string,
    scopes: readonly ['admin'] | typeof TASKS,
  ) => ({
    id,
    tenant,
    sha256: sha256(keys[id]),
    scopes,
  });
  return {
    tenants: [{ id: 'crowd' }, { id: 'one' }],
    auth: {
      keys: [
        entry('crowd', 'crowd', TASKS),
        entry('one', 'one', TASKS),
        entry('watch', 'default', ['admin']),
      ],
    },
  };
}

const TASKS = ['tasks:write', 'tasks:read'] as const;
