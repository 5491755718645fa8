/**
 * The gateway of a host as a process of its own, before an engine that runs already:
 *
 *     node gateway-server.ts ENGINE_URL LEASE
 */
import { Gateway } from '@llama-orch/pool-managerd/gateway';

const [, , engineUrl, lease] = process.argv;
if (engineUrl === undefined || lease === undefined) {
  throw new Error('usage: node gateway-server.ts ENGINE_URL LEASE');
}
const gateway = new Gateway({
  host: '127.0.0.1',
  port: 0,
  bodyLimitBytes: 1024 * 1024,
  authorize: (_replicaId, credential) => (credential === lease ? { url: engineUrl } : undefined),
});
await gateway.listen();
process.on('SIGTERM', () => void gateway.close().then(() => process.exit(0)));
console.log(`ready on ${gateway.url}`);
