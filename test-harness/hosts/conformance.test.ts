/**
 * The conformance suite through the gateway of a host: to an adapter the gateway is the engine, whatever
 * either of them does (OC-POOL-3122).
 */
import { Gateway } from '@llama-orch/pool-managerd/gateway';
import { describeAdapter, type Subject } from '@llama-orch/worker-adapters/conformance';
import { afterAll, describe, expect, test } from 'vitest';
import { LLAMACPP } from '../engines/llamacpp/subject.ts';

const LEASE = '1.secret';
/** The engine behind each replica; a replica is one adapter's. */
const engines = new Map<string, string>();
const gateway = new Gateway({
  host: '127.0.0.1',
  port: 0,
  bodyLimitBytes: 64 * 1024 * 1024,
  authorize: (replicaId, credential) => {
    const url = engines.get(replicaId);
    return credential === LEASE && url !== undefined ? { url } : undefined;
  },
});
await gateway.listen();
afterAll(() => gateway.close());

const THROUGH_GATEWAY: Subject = {
  ...LLAMACPP,
  open: (options) => {
    const replicaId = `gpu-a.default-${engines.size}`;
    engines.set(replicaId, options.url);
    const adapter = LLAMACPP.open({
      ...options,
      url: `${gateway.url}/replicas/${replicaId}`,
      headers: () => ({ 'x-llama-orch-lease': LEASE }),
    });
    const close = adapter[Symbol.asyncDispose].bind(adapter);
    return Object.assign(adapter, {
      async [Symbol.asyncDispose]() {
        await close();
        // With the adapter goes its lease.
        gateway.cut(replicaId);
      },
    });
  },
};

describeAdapter('llamacpp through a gateway', THROUGH_GATEWAY, { describe, test, expect });
