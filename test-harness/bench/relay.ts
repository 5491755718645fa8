/**
 * Tokens relayed over 200 streams at once from an engine that needs no time, and straight from that
 * engine for comparison. Client, daemon and engine share the machine, so CPU time per token says more
 * about the daemon than tokens per second do.
 */
import type { Bench, BenchContext, Row } from './bench.ts';
import { Connection } from './connection.ts';
import { startSimulator } from './engines.ts';
import { cpuSeconds, memory, type Usage } from './process-usage.ts';
import { spread } from './statistics.ts';
import { openTwoWays, tokensOf, type TwoWays, type Way } from './two-ways.ts';

export const STREAMS = 200;
const TARGET = 120_000;

export interface Run {
  readonly tokens: number;
  readonly perSecond: number;
}

interface Round extends Run {
  readonly usage: Usage;
  readonly engineSeconds: number;
  readonly clientSeconds: number;
  readonly peakMb: number;
  readonly direct: Run;
}

/** Asks for as many streams at once. @throws Error when one of them has fewer tokens */
export async function runStreams(way: Way, tokensEach: number): Promise<Run> {
  const connections = await Promise.all(
    Array.from({ length: STREAMS }, () => Connection.open(way.url)),
  );
  const startedAt = performance.now();
  const answers = await Promise.all(
    connections.map((connection) => connection.stream(way.request, way.marker, false)),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  for (const connection of connections) connection.close();
  const counts = answers.map(tokensOf);
  const short = counts.find((count) => count !== tokensEach);
  if (short !== undefined) throw new Error(`a stream had ${short} of ${tokensEach} tokens`);
  const tokens = STREAMS * tokensEach;
  return { tokens, perSecond: tokens / seconds };
}

async function round(ways: TwoWays, enginePid: number, tokensEach: number): Promise<Round> {
  const direct = await runStreams(ways.direct, tokensEach);
  const engineBefore = cpuSeconds(enginePid);
  const clientBefore = process.cpuUsage();
  const { value, usage } = await ways.daemon.measure(() => runStreams(ways.through, tokensEach));
  const client = process.cpuUsage(clientBefore);
  return {
    ...value,
    usage,
    direct,
    engineSeconds: cpuSeconds(enginePid) - engineBefore,
    clientSeconds: (client.user + client.system) / 1e6,
    peakMb: memory(ways.daemon.pid).peakMb,
  };
}

interface Pattern {
  readonly label: string;
  /** Flags of the simulator. */
  readonly flags: readonly string[];
  readonly tokensEach: number;
  /** Tokens per second. */
  readonly target?: number;
}

async function measure(context: BenchContext, pattern: Pattern): Promise<readonly Row[]> {
  const { label, tokensEach, flags } = pattern;
  context.say(`  ${label}`);
  const ctx = String(tokensEach + 256);
  const limits = ['--slots', String(STREAMS), '--ctx', ctx, '--tokens', ctx];
  await using engine = await startSimulator(context, [...limits, ...flags]);
  await using ways = await openTwoWays(context, engine.url, tokensEach, {
    slots: STREAMS,
    determinism: 'exact',
    ctx: Number(ctx),
    queue: { capacity: STREAMS },
  });
  const rounds: Round[] = [];
  if (!context.quick) await round(ways, engine.pid, tokensEach);
  for (let index = 0; index < (context.quick ? 1 : 3); index += 1) {
    const measured = await round(ways, engine.pid, tokensEach);
    rounds.push(measured);
    context.say(`  round ${index + 1}: ${Math.round(measured.perSecond)} tokens/s`);
  }
  const row = (measure: string, unit: string, pick: (each: Round) => number): Row => ({
    measure: `${label}: ${measure}`,
    unit,
    value: spread(rounds.map(pick)),
  });
  const perToken = (seconds: (each: Round) => number) => (each: Round) =>
    (seconds(each) / each.tokens) * 1e6;
  return [
    {
      ...row('tokens relayed', '1/s', ({ perSecond }) => perSecond),
      reference: {
        name: 'direct',
        value: spread(rounds.map(({ direct }) => direct.perSecond)),
      },
      ...(pattern.target === undefined
        ? {}
        : { target: { bound: 'at least' as const, value: pattern.target } }),
    },
    row(
      'CPU per token, daemon’s event loop',
      'µs',
      perToken(({ usage }) => usage.mainThreadSeconds),
    ),
    row(
      'CPU per token, daemon',
      'µs',
      perToken(({ usage }) => usage.cpuSeconds),
    ),
    row(
      'CPU per token, engine',
      'µs',
      perToken(({ engineSeconds }) => engineSeconds),
    ),
    row(
      'CPU per token, client',
      'µs',
      perToken(({ clientSeconds }) => clientSeconds),
    ),
    row(
      'tokens a core of the daemon could relay',
      '1/s',
      ({ tokens, usage }) => tokens / usage.mainThreadSeconds,
    ),
    row('most resident', 'MB', ({ peakMb }) => peakMb),
  ];
}

export const relay: Bench = {
  name: 'relay',
  about: `tokens relayed over ${STREAMS} concurrent streams from an instant engine`,
  async run(context) {
    const patterns: readonly Pattern[] = [
      {
        // As llama-server writes; the engine is the limit here, with or without the daemon.
        label: 'a write per token',
        flags: [],
        tokensEach: context.quick ? 50 : 2_000,
      },
      {
        label: 'a write per 4 tokens',
        flags: ['--tokens-per-write', '4'],
        tokensEach: context.quick ? 50 : 4_000,
        target: TARGET,
      },
      {
        // Every token is a wake-up of its own: what a token costs when there is no rush.
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
