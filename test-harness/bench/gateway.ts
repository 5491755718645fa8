/**
 * What the gateway of a host adds to its engine: the same streams straight from the engine and through the
 * gateway, one after the other in each round. All share the machine, so CPU time per token says more than
 * tokens per second do.
 */
import { fileURLToPath } from 'node:url';
import type { Bench, BenchContext, Row } from './bench.ts';
import { encodeRequest } from './connection.ts';
import { startSimulator } from './engines.ts';
import { cpuSeconds } from './process-usage.ts';
import { startProgram } from './program.ts';
import { runStreams, STREAMS, type Run } from './relay.ts';
import { spread } from './statistics.ts';
import type { Way } from './two-ways.ts';

const SERVER = fileURLToPath(new URL('gateway-server.ts', import.meta.url));
const LEASE = '1.bench';

interface Pattern {
  readonly label: string;
  /** Flags of the simulator. */
  readonly flags: readonly string[];
  readonly tokensEach: number;
}

interface Round {
  readonly direct: Run;
  readonly through: Run;
  readonly gatewaySeconds: number;
}

function wayOver(url: string, path: string, tokens: number): Way {
  const body = JSON.stringify({ prompt: 'Write a haiku.', n_predict: tokens, stream: true });
  const headers = { 'x-llama-orch-lease': LEASE };
  const request = encodeRequest({ method: 'POST', path, body, headers });
  return { name: 'direct', url, request, marker: '"stop":false' };
}

async function measure(context: BenchContext, pattern: Pattern): Promise<readonly Row[]> {
  const { label, flags, tokensEach } = pattern;
  context.say(`  ${label}`);
  const ctx = String(tokensEach + 256);
  const limits = ['--slots', String(STREAMS), '--ctx', ctx, '--tokens', ctx];
  await using engine = await startSimulator(context, [...limits, ...flags]);
  const dir = context.newDir('gateway');
  await using gateway = await startProgram({
    name: 'the gateway',
    args: [SERVER, engine.url, LEASE],
    cwd: dir,
    logFile: `${dir}/gateway.log`,
  });
  const direct = wayOver(engine.url, '/completion', tokensEach);
  const through = wayOver(gateway.url, '/replicas/a.default-0/completion', tokensEach);
  const rounds: Round[] = [];
  for (let index = 0; index < (context.quick ? 1 : 4); index += 1) {
    const alone = await runStreams(direct, tokensEach);
    const before = cpuSeconds(gateway.pid);
    const relayed = await runStreams(through, tokensEach);
    const round = {
      direct: alone,
      through: relayed,
      gatewaySeconds: cpuSeconds(gateway.pid) - before,
    };
    // The first one warms everybody up.
    if (index > 0 || context.quick) rounds.push(round);
  }
  return [
    {
      measure: `${label}: tokens through the gateway`,
      unit: '1/s',
      value: spread(rounds.map((round) => round.through.perSecond)),
      reference: {
        name: 'direct',
        value: spread(rounds.map((round) => round.direct.perSecond)),
      },
    },
    {
      measure: `${label}: CPU per token, gateway`,
      unit: 'µs',
      value: spread(
        rounds.map(({ gatewaySeconds, through: { tokens } }) => (gatewaySeconds / tokens) * 1e6),
      ),
    },
  ];
}

export const gateway: Bench = {
  name: 'gateway',
  about: `tokens over ${STREAMS} streams through the gateway of a host, beside the engine alone`,
  async run(context) {
    const patterns: readonly Pattern[] = [
      { label: 'a write per token', flags: [], tokensEach: context.quick ? 50 : 1_000 },
      {
        label: '50 tokens/s each',
        flags: ['--token-delay-ms', '20'],
        tokensEach: context.quick ? 10 : 150,
      },
    ];
    const rows: Row[] = [];
    for (const pattern of patterns) rows.push(...(await measure(context, pattern)));
    return rows;
  },
};
