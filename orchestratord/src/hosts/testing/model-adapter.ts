/** An adapter whose requests travel over the model network to a model gateway. */
import {
  EngineError,
  type AdapterOptions,
  type EngineRequest,
  type EngineResult,
  type TokenSink,
  type WorkerAdapter,
} from '@llama-orch/worker-adapters';
import type { VirtualClock } from '@llama-orch/pool-managerd/testing';
import type { ModelHost } from './model-host.ts';
import type { Network } from './network.ts';

export interface ModelAdapterPorts {
  readonly hostOf: (hostId: string) => ModelHost;
  readonly network: Network;
  readonly clock: VirtualClock;
}

const PROPS_TIMEOUT_MS = 300;
const DONE: EngineResult = {
  finishReason: 'stop',
  tokensIn: 1,
  tokensOut: 1,
  cachedTokens: 0,
  decodeMs: undefined,
  slotId: 0,
};

/** `maxTokens` of a request is how long it takes, ms. */
export function openModelAdapter(options: AdapterOptions, ports: ModelAdapterPorts): WorkerAdapter {
  const { network, clock } = ports;
  const { hostname: hostId, pathname } = new URL(options.url);
  const replicaId = pathname.split('/')[2] ?? '';
  const open = new Set<() => void>();

  const adapter = {
    engine: 'llamacpp',
    url: options.url,
    props: () =>
      new Promise((resolve, reject) => {
        const give = (): void => reject(new EngineError('timeout', 'llamacpp', 'no answer'));
        const cancel = clock.setTimer(PROPS_TIMEOUT_MS, give);
        const finish = (): void => {
          cancel();
          resolve({});
        };
        network.send(hostId, () => network.send(hostId, finish));
      }),
    submit: (request: EngineRequest, _sink: TokenSink, signal: AbortSignal) =>
      new Promise<EngineResult>((resolve, reject) => {
        const headers = options.headers?.() ?? {};
        const requestId = headers['x-llama-orch-request'] ?? '';
        const leave = (reason: Error): void => {
          open.delete(drop);
          reject(reason);
          // A closed connection is told to the other side, if that can still be reached.
          network.send(hostId, () => ports.hostOf(hostId).gateway.end(requestId));
        };
        const drop = (): void => leave(new EngineError('broken', 'llamacpp', 'closed'));
        open.add(drop);
        signal.addEventListener('abort', () => leave(signal.reason as Error), { once: true });
        network.send(hostId, () =>
          ports.hostOf(hostId).gateway.request({
            replicaId,
            credential: headers['x-llama-orch-lease'] ?? '',
            requestId,
            taskId: request.taskId,
            takesMs: request.maxTokens ?? 1,
            onReply: (reply) =>
              network.send(hostId, () => {
                open.delete(drop);
                if (reply === 'done') return resolve(DONE);
                const fault = reply === 'stale' ? 'permanent' : 'broken';
                const status = reply === 'stale' ? { status: 409 } : {};
                reject(new EngineError(fault, 'llamacpp', reply, status));
              }),
          }),
        );
      }),
    [Symbol.asyncDispose]: () => {
      for (const drop of [...open]) drop();
      return Promise.resolve();
    },
  };
  return adapter as unknown as WorkerAdapter;
}
