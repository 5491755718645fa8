/** From spawning the daemon to its ready line, and what is resident a little later. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, BenchContext, Row } from './bench.ts';
import { startDaemon, type PoolSetup } from './daemon.ts';
import { deadEndpoint, externalPool } from './engines.ts';
import { memory } from './process-usage.ts';
import { startProgram } from './program.ts';
import { spread } from './statistics.ts';

const REST_MS = 2_000;

/** The least a Node process with an HTTP server needs. */
const BARE_SERVER = `
const server = require('node:http').createServer();
server.listen(0, '127.0.0.1', () => console.log('on http://127.0.0.1:' + server.address().port));
`;

interface Round {
  readonly readyMs: number;
  readonly residentMb: number;
}

async function daemonRound(
  context: BenchContext,
  pools: readonly PoolSetup[] | undefined,
): Promise<Round> {
  await using daemon = await startDaemon(context, pools);
  await sleep(REST_MS);
  return { readyMs: daemon.readyMs, residentMb: memory(daemon.pid).residentMb };
}

async function bareRound(context: BenchContext): Promise<Round> {
  const dir = context.newDir('bare');
  await using server = await startProgram({
    name: 'a bare server',
    args: ['--eval', BARE_SERVER],
    cwd: dir,
    logFile: `${dir}/bare.log`,
  });
  await sleep(REST_MS);
  return { readyMs: server.readyMs, residentMb: memory(server.pid).residentMb };
}

export const startup: Bench = {
  name: 'startup',
  about: 'cold start to ready, and resident at rest, against a bare Node server',
  async run(context) {
    const bare: Round[] = [];
    const noEngine: Round[] = [];
    const embedded: Round[] = [];
    for (let index = 0; index < (context.quick ? 1 : 5); index += 1) {
      bare.push(await bareRound(context));
      noEngine.push(await daemonRound(context, [externalPool('bench', await deadEndpoint())]));
      embedded.push(await daemonRound(context, undefined));
    }
    const row = (
      measure: string,
      unit: string,
      rounds: readonly Round[],
      pick: (round: Round) => number,
      target?: Row['target'],
    ): Row => ({
      measure,
      unit,
      value: spread(rounds.map(pick)),
      reference: { name: 'bare server', value: spread(bare.map(pick)) },
      ...(target === undefined ? {} : { target }),
    });
    const ready = (round: Round): number => round.readyMs;
    const resident = (round: Round): number => round.residentMb;
    return [
      row('ready without an engine', 'ms', noEngine, ready, { bound: 'below', value: 1_000 }),
      row('ready with two embedded replicas', 'ms', embedded, ready),
      row('resident without an engine', 'MB', noEngine, resident, { bound: 'below', value: 120 }),
      row('resident with two embedded replicas', 'MB', embedded, resident, {
        bound: 'below',
        value: 120,
      }),
    ];
  },
};
