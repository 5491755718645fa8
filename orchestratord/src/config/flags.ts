/** How the daemon is told what to do, apart from its file. */
import { CONFIG_LEAVES } from '@llama-orch/contracts';
import type { Program } from '@llama-orch/pool-managerd/process';

export const HELP = `llama-orch: a durable, bounded, fair queue in front of your inference engines.

  --config FILE      configuration; default ./llama-orch.yaml when it exists
  --host HOST        address to bind; default 127.0.0.1
  --port PORT        TCP port, 0 picks a free one; default 8080
  --data-dir DIR     where the ledger and run files live; default .llama-orch
  --log-level LEVEL  trace, debug, info, warn, error, fatal or silent; default info
  --help             print this and exit

Flags win over LLAMA_ORCH_* in the environment, which win over the file. Every value of the file has
a variable: server.port is LLAMA_ORCH_SERVER__PORT, the first pool's replicas are
LLAMA_ORCH_POOLS__0__REPLICAS.
`;

export const ORCHESTRATORD: Program = {
  variablePrefix: 'LLAMA_ORCH_',
  shortNames: new Map([
    ['HOST', ['server', 'host']],
    ['PORT', ['server', 'port']],
    ['LOG_LEVEL', ['log', 'level']],
  ]),
  isForeign: isServiceLink,
  flags: {
    host: ['server', 'host'],
    port: ['server', 'port'],
    'data-dir': ['data_dir'],
    'log-level': ['log', 'level'],
  },
  leaves: CONFIG_LEAVES,
  defaultFile: 'llama-orch.yaml',
};

/**
 * Those that Kubernetes puts into every pod beside a service called `llama-orch`:
 * https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
 */
function isServiceLink(variable: string, text: string): boolean {
  return (
    /^LLAMA_ORCH_(SERVICE_(HOST|PORT)(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_\w+)?)$/.test(variable) ||
    (variable === 'LLAMA_ORCH_PORT' && /^(tcp|udp|sctp):\/\//.test(text))
  );
}
