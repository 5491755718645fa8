/** The engines that the suite runs on: two replicas each, in a pool whose bytes are vouched for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHAT_TEMPLATE } from '../engines/kit/chat.ts';
import type { EngineSim } from '../engines/kit/engine-sim.ts';
import type { SimOptions } from '../engines/kit/sim-options.ts';
import { startLlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startOpenAiSim } from '../engines/openai/sim.ts';
import { startTgiSim } from '../engines/tgi/sim.ts';
import { startTritonSim } from '../engines/triton/sim.ts';
import { startVllmSim } from '../engines/vllm/sim.ts';
import type { DaemonProcess } from '../src/daemon-process.ts';
import { embeddedPool, externalPool, type PoolInput } from '../src/temp-config.ts';

export const SLOTS = 2;

/** Engines that are there, and the pool over them. */
export interface Bench extends AsyncDisposable {
  readonly pool: PoolInput;
  /** Interrupts some of what runs, as a failing engine does; nothing of it is lost. */
  readonly disturb: (daemon: DaemonProcess) => void;
}

export interface EngineUnderTest {
  readonly name: string;
  readonly start: () => Promise<Bench>;
}

/** What is the same for every pool: preemption is on, and two replicas are told apart. */
export const SUITE_POOL = {
  slots: SLOTS,
  queue: { capacity: 1_000 },
  replica_labels: [{ ordinal: '0' }, { ordinal: '1' }],
  scheduling: { preemption: 'hard' },
  max_attempts: 10,
} as const satisfies PoolInput;

/** Kills an engine process of the daemon. @param program a part of its command line */
export function killEngine(daemon: DaemonProcess, program: string): void {
  const engine = daemon.children().find(({ command }) => command.includes(program));
  if (engine === undefined) throw new Error(`the daemon runs no ${program}`);
  process.kill(engine.pid, 'SIGKILL');
}

export const EMBEDDED: EngineUnderTest = {
  name: 'embedded llama.cpp',
  start: () =>
    Promise.resolve({
      pool: embeddedPool(SUITE_POOL),
      disturb: (daemon) => killEngine(daemon, 'llamacpp-embedded'),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
};

/** Enough for the first tokens to have a digest of their own, and slow enough to be interrupted. */
const SIM = { slots: SLOTS, tokens: 36, tokenDelayMs: 1 } as const;

/** @param own what the second replica does otherwise, for planted faults */
export function simulated(
  name: string,
  start: (options: Partial<SimOptions>) => Promise<EngineSim>,
  pool: (sims: readonly EngineSim[]) => PoolInput = () => ({}),
  path = '',
  own: Partial<SimOptions> = {},
): EngineUnderTest {
  return {
    name: `simulated ${name}`,
    async start() {
      const sims = await Promise.all([start(SIM), start({ ...SIM, ...own })]);
      return {
        pool: externalPool(
          sims.map(({ url }) => `${url}${path}`),
          {
            ...SUITE_POOL,
            determinism: 'exact',
            model: { id: 'sim', served_name: 'sim' },
            ...pool(sims),
          },
        ),
        disturb: () => sims[0]?.addFault({ kind: 'cut', after_tokens: 9 }, SLOTS),
        async [Symbol.asyncDispose]() {
          await Promise.all(sims.map((sim) => sim[Symbol.asyncDispose]()));
        },
      };
    },
  };
}

export function simulatedTriton(): EngineUnderTest {
  const directory = mkdtempSync(join(tmpdir(), 'llama-orch-determinism-'));
  const template = join(directory, 'chat.jinja');
  writeFileSync(template, CHAT_TEMPLATE);
  const engine = simulated(
    'Triton',
    (options) => startTritonSim({ ...options, backend: 'vllm' }),
    () => ({
      engine: 'triton',
      text_output: 'delta',
      model: { id: 'sim', served_name: 'sim', chat_template: template },
    }),
  );
  return {
    ...engine,
    async start() {
      const bench = await engine.start();
      return {
        ...bench,
        async [Symbol.asyncDispose]() {
          await bench[Symbol.asyncDispose]();
          rmSync(directory, { recursive: true });
        },
      };
    },
  };
}

export const SIMULATED: readonly EngineUnderTest[] = [
  simulated('llama-server', startLlamaCppSim),
  simulated('vLLM', startVllmSim, () => ({ engine: 'vllm' })),
  simulated('TGI', startTgiSim, () => ({ engine: 'tgi' })),
  simulatedTriton(),
  simulated(
    'SGLang',
    (options) => startOpenAiSim({ ...options, flavor: 'sglang' }),
    () => ({ engine: 'openai' }),
    '/v1',
  ),
];
