/** A host with the real manager, leases and link, over fake engines and a model of network and gateway. */
import { randomUUID } from 'node:crypto';
import { validateHostSyncAnswer, type HostSync } from '@llama-orch/contracts';
import {
  createPoolManager,
  type Clock,
  type ModelTarget,
  type PoolManager,
} from '@llama-orch/pool-managerd';
import {
  HostLeases,
  HostLink,
  HostModels,
  type SyncTransport,
} from '@llama-orch/pool-managerd/sync';
import { FakeEngine, ROOMY, SILENT, type VirtualClock } from '@llama-orch/pool-managerd/testing';
import { ModelGateway, type RunCounter } from './model-gateway.ts';
import type { Network } from './network.ts';

export const TTL_MS = 1_000;

export interface ModelHostOptions {
  readonly hostId: string;
  readonly replicas: number;
  /** In its configuration; `m`, which it serves by itself, alone when left out. */
  readonly models?: readonly string[];
  /** Those of them that no replica of it comes up with. */
  readonly broken?: readonly string[];
  readonly clock: VirtualClock;
  /** Its clock runs this much faster than orchestratord's. */
  readonly clockRate: number;
  readonly network: Network;
  readonly counter: RunCounter;
  /** Carries a sync to the orchestratord of that moment; rejects when there is none. */
  readonly deliver: (hostId: string, body: HostSync) => Promise<unknown>;
  readonly random: () => number;
}

interface Life {
  readonly manager: PoolManager;
  readonly engine: FakeEngine;
  readonly gateway: ModelGateway;
  isDead: boolean;
}

export class ModelHost {
  readonly #options: ModelHostOptions;
  readonly #home = randomUUID();
  #generation = 0;
  #life: Life;

  constructor(options: ModelHostOptions) {
    this.#options = options;
    this.#life = this.#start();
  }

  get hostId(): string {
    return this.#options.hostId;
  }

  get gateway(): ModelGateway {
    return this.#life.gateway;
  }

  /** kill -9, and another start on the same data directory. */
  restart(): void {
    const { manager, gateway } = this.#life;
    this.#life.isDead = true;
    gateway.die();
    void manager.stop(0);
    this.#life = this.#start();
  }

  /** An engine exits; the manager replaces it. */
  crashEngine(): void {
    this.#life.engine.spawned.at(-1)?.exit(1);
  }

  #start(): Life {
    const { hostId, replicas, clock, counter, random } = this.#options;
    const { models = ['m'], broken = [] } = this.#options;
    this.#generation += 1;
    const own = skewed(clock, this.#options.clockRate);
    const engine = new FakeEngine();
    const manager = createPoolManager({
      pools: [
        {
          id: 'default',
          engine: 'llamacpp',
          launch: 'embedded',
          modelPath: '/m.gguf',
          modelId: 'm',
          ctx: 16,
          replicas,
          probe: { intervalMs: 1e9 },
        },
      ],
      dataDir: '/nonexistent',
      openAdapter: () => engine.openAdapter,
      embeddedEntry: '',
      clock: own,
      random: { next: random },
      logger: SILENT,
      leaseTtlMs: TTL_MS,
      leaseTokensAfter: this.#generation * 1_000_000,
      spawn: engine.spawn,
      readModelFacts: (path) =>
        broken.some((id) => path === modelOf(id).modelPath)
          ? Promise.reject(new Error('it is damaged'))
          : Promise.resolve({ digest: '', quant: '', kvBytesPerToken: 0 }),
      ...ROOMY,
    });
    const leases = new HostLeases({
      manager,
      replicas: () => manager.replicas('default'),
      leaseTtlMs: TTL_MS,
      clock: own,
      makeSecret: () => randomUUID(),
      onOver: (replicaId) => gateway.cut(`${hostId}.${replicaId}`),
    });
    const gateway = new ModelGateway(clock, counter, (replicaId, credential) => {
      const [, id = ''] = replicaId.split(`${hostId}.`);
      return leases.authorize(id, credential) !== undefined;
    });
    const life: Life = { manager, engine, gateway, isDead: false };
    const link = new HostLink({
      hostId,
      instance: { id: randomUUID(), home: this.#home, generation: this.#generation },
      gatewayUrl: `http://${hostId}`,
      leaseTtlMs: TTL_MS,
      poolIds: ['default'],
      labelsOf: () => ({}),
      manager,
      leases,
      models: new HostModels({
        manager,
        configured: new Map([['default', modelOf('m')]]),
        catalog: new Map(models.map((id) => [id, modelOf(id)])),
        logger: SILENT,
      }),
      endRequest: (requestId) => gateway.end(requestId),
      transport: this.#transport(life),
      clock: own,
      random: { next: random },
      logger: SILENT,
    });
    manager.start();
    link.start();
    return life;
  }

  #transport(life: Life): SyncTransport {
    const { hostId, network, deliver } = this.#options;
    return {
      sync: (body, signal) =>
        new Promise((resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
          const back = (arrive: () => void): void =>
            network.send(hostId, () => {
              if (!life.isDead) arrive();
            });
          // What a dead process was about to send is never sent; what it sent may still arrive.
          if (life.isDead) return;
          network.sendPerhapsTwice(hostId, () => {
            deliver(hostId, structuredClone(body)).then(
              (answer) => {
                const checked = validateHostSyncAnswer(answer);
                if (!checked.ok) throw new Error(JSON.stringify(checked.details));
                back(() => resolve(structuredClone(checked.value)));
              },
              (error: unknown) => back(() => reject(error)),
            );
          });
        }),
      leave: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  }
}

function modelOf(id: string): ModelTarget {
  return { modelId: id, modelPath: `/${id}.gguf`, modelDigest: undefined };
}

function skewed(clock: Clock, rate: number): Clock {
  return {
    now: () => clock.now() * rate,
    setTimer: (ms, fire) => clock.setTimer(ms / rate, fire),
  };
}
