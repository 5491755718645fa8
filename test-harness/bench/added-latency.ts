/**
 * What the daemon adds to a generation: one client, one generation at a time, asked of the engine, of a
 * process that only relays, and of the daemon in turn, so that all see the same machine.
 */
import type { Bench, BenchContext, Row } from './bench.ts';
import { Connection, fetchOnce } from './connection.ts';
import { startEmbedded, startSimulator } from './engines.ts';
import type { Program } from './program.ts';
import { percentile, spread } from './statistics.ts';
import { openTwoWays, startBareRelay, tokensOf, type TwoWays, type Way } from './two-ways.ts';

interface Sample {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly tokens: number;
}

interface Sizes {
  readonly rounds: number;
  /** Pairs of generations. */
  readonly warmUp: number;
  readonly pairs: number;
}

async function sample(connection: Connection, way: Way): Promise<Sample> {
  const answer = await connection.stream(way.request, way.marker, true);
  return { firstMs: answer.firstMs, lastMs: answer.lastMs, tokens: tokensOf(answer) };
}

interface Round {
  readonly direct: readonly Sample[];
  readonly relayed: readonly Sample[];
  readonly through: readonly Sample[];
  readonly commitMs: number;
}

async function measure(
  ways: TwoWays,
  relay: Way,
  sizes: Sizes,
  context: BenchContext,
): Promise<Round[]> {
  const between = await Connection.open(relay.url);
  const engine = await Connection.open(ways.direct.url);
  const daemon = await Connection.open(ways.through.url);
  try {
    const run = async (pairs: number) => {
      const direct: Sample[] = [];
      const relayed: Sample[] = [];
      const through: Sample[] = [];
      for (let pair = 0; pair < pairs; pair += 1) {
        if (pair % 2 === 0) direct.push(await sample(engine, ways.direct));
        relayed.push(await sample(between, relay));
        through.push(await sample(daemon, ways.through));
        if (pair % 2 === 1) direct.push(await sample(engine, ways.direct));
      }
      return { direct, relayed, through };
    };
    await run(sizes.warmUp);
    const rounds: Round[] = [];
    for (let round = 0; round < sizes.rounds; round += 1) {
      const before = await commits(ways.daemon.url);
      const { value } = await ways.daemon.measure(() => run(sizes.pairs));
      const after = await commits(ways.daemon.url);
      const commitMs = (after.totalMs - before.totalMs) / (after.count - before.count);
      rounds.push({ ...value, commitMs });
      const added = at(value.through, 'firstMs', 0.5) - at(value.direct, 'firstMs', 0.5);
      context.say(`  round ${round + 1}: ${added.toFixed(2)} ms added to the first token`);
    }
    return rounds;
  } finally {
    between.close();
    engine.close();
    daemon.close();
  }
}

function at(samples: readonly Sample[], figure: keyof Sample, share: number): number {
  return percentile(
    samples.map((each) => each[figure]),
    share,
  );
}

type Moment = 'firstMs' | 'lastMs';

function rowsOf(label: string, rounds: readonly Round[]): readonly Row[] {
  const both = (measure: string, moment: Moment, share: number): Row => ({
    measure: `${label}: ${measure}`,
    unit: 'ms',
    value: spread(rounds.map(({ through }) => at(through, moment, share))),
    reference: {
      name: 'direct',
      value: spread(rounds.map(({ direct }) => at(direct, moment, share))),
    },
  });
  const added = ({ through, direct }: Round, moment: Moment, share: number): number =>
    at(through, moment, share) - at(direct, moment, share);
  const row = (measure: string, unit: string, pick: (round: Round) => number): Row => ({
    measure: `${label}: ${measure}`,
    unit,
    value: spread(rounds.map(pick)),
  });
  return [
    both('first token p50', 'firstMs', 0.5),
    both('first token p95', 'firstMs', 0.95),
    both('last token p50', 'lastMs', 0.5),
    {
      ...row('added to the first token p50', 'ms', (each) => added(each, 'firstMs', 0.5)),
      target: { bound: 'at most', value: 0.5 },
    },
    row('added to the first token p95', 'ms', (each) => added(each, 'firstMs', 0.95)),
    row(
      'a bare relay adds to the first token p50',
      'ms',
      ({ relayed, direct }) => at(relayed, 'firstMs', 0.5) - at(direct, 'firstMs', 0.5),
    ),
    row('a ledger commit, mean', 'ms', ({ commitMs }) => commitMs),
    row('added per token p50', 'µs', (each) => {
      const tokens = at(each.through, 'tokens', 0.5);
      return (added(each, 'lastMs', 0.5) / tokens) * 1000;
    }),
  ];
}

/** Group commits so far and the time they took. */
async function commits(url: string): Promise<{ readonly count: number; readonly totalMs: number }> {
  const metrics = await fetchOnce(url, { method: 'GET', path: '/metrics' });
  const value = (name: string): number =>
    Number(new RegExp(`^ledger_commit_ms_${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  return { count: value('count'), totalMs: value('sum') };
}

interface Case {
  readonly label: string;
  readonly engine: Program;
  /** Of each generation. */
  readonly tokens: number;
  readonly sizes: Sizes;
}

async function compare(context: BenchContext, each: Case): Promise<readonly Row[]> {
  const { label, engine, tokens, sizes } = each;
  context.say(`  ${label}`);
  await using ways = await openTwoWays(context, engine.url, tokens, { ctx: 1024 });
  await using relay = await startBareRelay(context, engine.url, ways.completion);
  return rowsOf(label, await measure(ways, relay.way, sizes, context));
}

export const addedLatency: Bench = {
  name: 'added-latency',
  about: 'added to the first token and to each further one, against the engine called directly',
  async run(context) {
    const { quick } = context;
    await using instant = await startSimulator(context, ['--tokens', '1000']);
    // Leaves the processor to the others between two tokens, as an engine on a GPU does.
    await using paced = await startSimulator(context, ['--token-delay-ms', '2']);
    await using embedded = await startEmbedded(context);
    const cases: readonly Case[] = [
      {
        label: 'instant engine',
        engine: instant,
        tokens: 48,
        sizes: quick
          ? { rounds: 1, warmUp: 10, pairs: 20 }
          : { rounds: 5, warmUp: 300, pairs: 200 },
      },
      {
        label: '2 ms per token',
        engine: paced,
        tokens: 8,
        sizes: quick ? { rounds: 1, warmUp: 5, pairs: 10 } : { rounds: 5, warmUp: 300, pairs: 100 },
      },
      {
        label: 'tiny-haiku',
        engine: embedded,
        tokens: 48,
        sizes: quick ? { rounds: 1, warmUp: 2, pairs: 4 } : { rounds: 5, warmUp: 20, pairs: 40 },
      },
    ];
    const rows: Row[] = [];
    for (const each of cases) rows.push(...(await compare(context, each)));
    return rows;
  },
};
