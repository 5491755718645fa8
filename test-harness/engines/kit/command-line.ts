import { appendFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import type { EngineSim } from './engine-sim.ts';
import { DRAWN_KINDS, parseDrawnKinds, parseFault } from './faults.ts';
import type { SimFault } from './faults.ts';
import { DEFAULT_SIM_OPTIONS } from './sim-options.ts';
import type { SimOptions } from './sim-options.ts';

const FLAGS = {
  help: { type: 'boolean', default: false },
  host: { type: 'string', default: DEFAULT_SIM_OPTIONS.host },
  port: { type: 'string' },
  slots: { type: 'string' },
  queue: { type: 'string' },
  ctx: { type: 'string' },
  tokens: { type: 'string' },
  'token-delay-ms': { type: 'string' },
  'compute-ms': { type: 'string' },
  'tokens-per-chunk': { type: 'string' },
  'tokens-per-write': { type: 'string' },
  'split-bytes': { type: 'string' },
  'comment-every': { type: 'string' },
  'loading-ms': { type: 'string' },
  'fault-percent': { type: 'string' },
  'fault-seed': { type: 'string' },
  'fault-kinds': { type: 'string' },
  'fault-log': { type: 'string' },
  poison: { type: 'string' },
  fault: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

const USAGE = `  [--host H] [--port N] [--slots N] [--queue N] [--ctx N] [--tokens N] [--token-delay-ms N]
  [--compute-ms N] [--tokens-per-chunk N] [--tokens-per-write N] [--split-bytes N] [--comment-every N] [--loading-ms N]
  [--fault-percent N] [--fault-seed N] [--fault-kinds ${DRAWN_KINDS.join()},exit-134]
  [--fault-log FILE] [--poison TEXT] [--fault '{"kind":"stall","after_tokens":3}']`;

export interface SimCommand {
  /** How it is called, for the usage text. */
  readonly name: string;
  /** Flags of this protocol alone. */
  readonly flags?: ParseArgsConfig['options'];
  readonly usage?: string;
  readonly start: (
    options: Partial<SimOptions>,
    flags: Readonly<Record<string, unknown>>,
  ) => Promise<EngineSim>;
}

/** Runs a simulator as a process of its own: flags, the line that says where it listens, signals. */
export async function runSimulator(command: SimCommand): Promise<void> {
  const { values } = parseArgs({ options: { ...FLAGS, ...command.flags } });
  const flags: Readonly<Record<string, unknown>> = values;
  if (flags['help'] === true) {
    console.log(`${command.name}\n${USAGE}${command.usage ?? ''}`);
    process.exit(0);
  }
  const sim = await command.start(toOptions(flags), flags);
  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(1);
    stopping = true;
    void sim.drain().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  console.log(`listening on ${sim.url}`);
}

function toOptions(flags: Readonly<Record<string, unknown>>): Partial<SimOptions> {
  const number = (flag: string, fallback: number): number => {
    const value = flags[flag];
    return typeof value === 'string' ? Number(value) : fallback;
  };
  const { fault, host, poison, 'fault-kinds': kinds, 'fault-log': log } = flags;
  const defaults = DEFAULT_SIM_OPTIONS;
  return {
    host: typeof host === 'string' ? host : defaults.host,
    port: number('port', defaults.port),
    slots: number('slots', defaults.slots),
    queue: number('queue', defaults.queue),
    ctx: number('ctx', defaults.ctx),
    tokens: number('tokens', defaults.tokens),
    tokenDelayMs: number('token-delay-ms', defaults.tokenDelayMs),
    computeMs: number('compute-ms', defaults.computeMs),
    tokensPerChunk: number('tokens-per-chunk', defaults.tokensPerChunk),
    tokensPerWrite: number('tokens-per-write', defaults.tokensPerWrite),
    splitBytes: number('split-bytes', defaults.splitBytes),
    commentEvery: number('comment-every', defaults.commentEvery),
    loadingMs: number('loading-ms', defaults.loadingMs),
    faultPercent: number('fault-percent', defaults.faultPercent),
    faultSeed: number('fault-seed', defaults.faultSeed),
    faultKinds: typeof kinds === 'string' ? parseDrawnKinds(kinds) : defaults.faultKinds,
    poison: typeof poison === 'string' ? poison : undefined,
    onFault: typeof log === 'string' ? appendTo(log) : undefined,
    fault: typeof fault === 'string' ? parseFault(JSON.parse(fault)) : undefined,
    onExit: (code) => process.exit(code),
  };
}

/** Several engines may write one log, and each may be about to exit: a line is written at once. */
function appendTo(file: string): (fault: SimFault, text: string) => void {
  return (fault, text) => appendFileSync(file, `${JSON.stringify({ fault, text })}\n`);
}
