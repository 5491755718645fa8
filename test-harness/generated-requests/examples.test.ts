/** The examples of the contract, sent as they stand to a daemon that has what they name. */
import { OPERATIONS, type ErrorEnvelope, type OperationId } from '@llama-orch/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from '../src/daemon-process.ts';
import { externalPool, simulatorPool, TINY_HAIKU } from '../src/temp-config.ts';
import { readContracts } from './generators.ts';

interface Example {
  readonly operationId: OperationId;
  readonly name: string;
  readonly value: unknown;
}
type Node = Readonly<Record<string, unknown>>;

const examples: readonly Example[] = (await readContracts()).flatMap(({ document }) =>
  Object.values(document['paths'] as Node).flatMap((item) =>
    Object.values(item as Readonly<Record<string, Node>>).flatMap(
      ({ operationId, requestBody }) => {
        const { content } = (requestBody ?? {}) as { content?: Readonly<Record<string, Node>> };
        const named = content?.['application/json']?.['examples'] as
          Readonly<Record<string, { readonly value: unknown }>> | undefined;
        return Object.entries(named ?? {}).map(([name, { value }]) => ({
          operationId: operationId as OperationId,
          name,
          value,
        }));
      },
    ),
  ),
);

const STARTS_MS = 90_000;
let sim: LlamaCppSim;
let daemon: DaemonProcess;

beforeAll(async () => {
  sim = await startLlamaCppSim({ tokens: 4 });
  const replaced = simulatorPool([], {
    id: 'replaced',
    replicas: 1,
    model: { id: 'haiku-v1', path: TINY_HAIKU },
  });
  daemon = await startDaemon({
    config: {
      models: [{ id: 'haiku-v2', path: TINY_HAIKU }],
      pools: [
        externalPool([sim.url], {
          id: 'tiny',
          model: { id: 'tiny-haiku' },
          device: 'cuda:0',
          replica_labels: [{ zone: 'a' }],
          workloads: ['completion', 'embedding', 'rerank'],
        }),
        // Simulated engines take no model; `env` lets the command name one all the same.
        {
          ...replaced,
          command: ['/usr/bin/env', 'SIM_MODEL={model}', ...(replaced.command ?? [])],
        },
        { id: 'default', launch: 'remote', model: { id: 'remote' } },
      ],
    },
  });
  await daemon.client.untilReady(1, 'tiny', STARTS_MS);
  await daemon.client.untilReady(1, 'replaced', STARTS_MS);
}, STARTS_MS);
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await sim[Symbol.asyncDispose]();
});

/** Values of the path, for an operation that has some. */
const PATHS: Partial<Record<OperationId, readonly string[]>> = {
  drainPool: ['replaced'],
  reloadPool: ['replaced'],
  canaryPool: ['replaced'],
  syncHost: ['gpu-a'],
};
/** A pool changes one thing at a time: the canary comes while it is still being reloaded. */
const REFUSED: Readonly<Record<string, string>> = { 'canaryPool tenth': 'CONFLICT' };

test('OC-TEST-7509 every operation with a body shows one', () => {
  const shown = new Set<string>(examples.map(({ operationId }) => operationId));
  const contracts = Object.entries(OPERATIONS).filter(([, each]) => '415' in each.responses);
  expect(shown).toEqual(new Set(contracts.map(([operationId]) => operationId)));
});

test.each(examples.map((each) => [`${each.operationId} ${each.name}`, each] as const))(
  'OC-TEST-7509 the example %s gets what it documents',
  async (title, { operationId, value }) => {
    const path = PATHS[operationId];
    const answer = await daemon.client.call(operationId, {
      body: value,
      ...(path === undefined ? {} : { path }),
    });
    const code = REFUSED[title];
    if (code === undefined) expect(answer.status, answer.text).toBeLessThan(300);
    else expect((answer.body as ErrorEnvelope).code, answer.text).toBe(code);
    if (operationId !== 'createTask') return;
    const { task_id: id } = answer.body as { task_id: string };
    expect((await daemon.client.untilEnded(id)).state).toBe('completed');
  },
);
