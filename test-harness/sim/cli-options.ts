/** The command line of `npm run sim`, parsed and checked. */
import { parseArgs } from 'node:util';
import { MODELS, A100_8B } from './iteration-time.ts';
import type { NamedPolicy } from './policy.ts';
import { POLICIES, policyByName } from './policies/catalogue.ts';
import type { Slo } from './summary.ts';
import { DEFAULT_SCENARIO, type Scenario } from './world.ts';

export const GENERATED = 'generated';

export const USAGE = `npm run sim -- --trace FILE|${GENERATED} [options]

Plays a trace through a simulated fleet under one or more policies and sets the outcome beside
the limits that no policy can beat.

  --policy P[,P2…]     default: round-robin,least-requests,min-ttft
  --speed X            the trace X times as fast
  --rows A..B          rows A up to but not including B; either may be left out
  --mixed-deadlines    half the rows want a first token within 1 s, half within 20 s
  --replicas N         default ${DEFAULT_SCENARIO.replicas}
  --model NAME         ${MODELS.map(({ name }) => name).join(' or ')}
  --kv-tokens N        KV memory of a replica, default ${DEFAULT_SCENARIO.kvTokens}
  --cache-tokens N     prefix cache of a replica, default 0
  --slots N            requests that run at once on a replica, default unlimited
  --token-budget N     tokens of one step, default ${DEFAULT_SCENARIO.tokenBudget}
  --noise X            step times vary evenly by ± this share
  --slow-replica X     the first replica takes X times as long
  --signals-ms N       engine metrics are N to 2N ms old, default ${DEFAULT_SCENARIO.signalPeriodMs}; 0: policies see the truth
  --slo-ttft-ms N      default 1000
  --slo-tpot-ms N      default 50
  --seed N             of noise, overlays and the generated trace
  --json FILE          writes every figure
  --svg FILE           draws the distribution of times to first token

npm run sim -- --reproduce --traces DIR [--json FILE]

Runs the published cases and prints our figures beside the reference.

Policies:
${POLICIES.map(({ name, about }) => `  ${name.padEnd(23)}${about}`).join('\n')}
`;

export interface PlayOptions {
  readonly kind: 'play';
  readonly trace: string;
  readonly speed: number;
  readonly rows: { readonly from: number; readonly to: number | undefined };
  readonly mixedDeadlines: boolean;
  readonly policies: readonly NamedPolicy[];
  readonly scenario: Scenario;
  readonly slo: Slo;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

export interface ReproduceOptions {
  readonly kind: 'reproduce';
  readonly traces: string;
  readonly json: string | undefined;
}

export type SimOptions = PlayOptions | ReproduceOptions | { readonly kind: 'help' };

/** The command line makes no sense; the message says why. */
export class UsageError extends Error {}

const FLAGS = {
  help: { type: 'boolean' },
  trace: { type: 'string' },
  policy: { type: 'string' },
  speed: { type: 'string' },
  rows: { type: 'string' },
  'mixed-deadlines': { type: 'boolean' },
  replicas: { type: 'string' },
  model: { type: 'string' },
  'kv-tokens': { type: 'string' },
  'cache-tokens': { type: 'string' },
  slots: { type: 'string' },
  'token-budget': { type: 'string' },
  noise: { type: 'string' },
  'slow-replica': { type: 'string' },
  'signals-ms': { type: 'string' },
  'slo-ttft-ms': { type: 'string' },
  'slo-tpot-ms': { type: 'string' },
  seed: { type: 'string' },
  json: { type: 'string' },
  svg: { type: 'string' },
  reproduce: { type: 'boolean' },
  traces: { type: 'string' },
} as const;

type Flags = ReturnType<typeof parseFlags>;

function parseFlags(args: readonly string[]) {
  return parseArgs({ args: [...args], options: FLAGS }).values;
}

/** @throws UsageError */
export function parseCommandLine(args: readonly string[]): SimOptions {
  let flags: Flags;
  try {
    flags = parseFlags(args);
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (flags.help === true) return { kind: 'help' };
  if (flags.reproduce === true) {
    if (flags.traces === undefined) throw new UsageError('--reproduce needs --traces DIR');
    return { kind: 'reproduce', traces: flags.traces, json: flags.json };
  }
  if (flags.trace === undefined) throw new UsageError(`give --trace FILE, or --trace ${GENERATED}`);
  return {
    kind: 'play',
    trace: flags.trace,
    speed: positive(flags, 'speed', 1),
    rows: parseRows(flags.rows),
    mixedDeadlines: flags['mixed-deadlines'] === true,
    policies: parsePolicies(flags.policy ?? 'round-robin,least-requests,min-ttft'),
    scenario: {
      replicas: count(flags, 'replicas', DEFAULT_SCENARIO.replicas),
      constants: parseModel(flags.model),
      tokenBudget: count(flags, 'token-budget', DEFAULT_SCENARIO.tokenBudget),
      kvTokens: count(flags, 'kv-tokens', DEFAULT_SCENARIO.kvTokens),
      cacheTokens: notNegative(flags, 'cache-tokens', 0),
      slots: count(flags, 'slots', Infinity),
      noise: noise(flags),
      seed: notNegative(flags, 'seed', 1),
      slowdowns: [positive(flags, 'slow-replica', 1)],
      signalPeriodMs: notNegative(flags, 'signals-ms', DEFAULT_SCENARIO.signalPeriodMs),
    },
    slo: {
      ttftMs: positive(flags, 'slo-ttft-ms', 1000),
      tpotMs: positive(flags, 'slo-tpot-ms', 50),
    },
    json: flags.json,
    svg: flags.svg,
  };
}

type NumberFlag = {
  [F in keyof Flags]-?: Flags[F] extends string | undefined ? F : never;
}[keyof Flags];

function numberOf(flags: Flags, flag: NumberFlag, fallback: number): number {
  const text = flags[flag];
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) {
    throw new UsageError(`--${flag} takes a number, not ${text}`);
  }
  return value;
}

function positive(flags: Flags, flag: NumberFlag, fallback: number): number {
  const value = numberOf(flags, flag, fallback);
  if (!(value > 0)) throw new UsageError(`--${flag} must be above 0`);
  return value;
}

function notNegative(flags: Flags, flag: NumberFlag, fallback: number): number {
  const value = numberOf(flags, flag, fallback);
  if (!(value >= 0)) throw new UsageError(`--${flag} must not be negative`);
  return value;
}

function count(flags: Flags, flag: NumberFlag, fallback: number): number {
  const value = positive(flags, flag, fallback);
  if (value !== Infinity && !Number.isInteger(value)) {
    throw new UsageError(`--${flag} must be a whole number`);
  }
  return value;
}

/** At 1 and above a step could take no time at all, or less. */
function noise(flags: Flags): number {
  const value = notNegative(flags, 'noise', 0);
  if (value >= 1) throw new UsageError('--noise must be below 1');
  return value;
}

function parseRows(text: string | undefined): PlayOptions['rows'] {
  if (text === undefined) return { from: 0, to: undefined };
  const match = /^(\d*)\.\.(\d*)$/.exec(text);
  if (match === null) throw new UsageError(`--rows takes A..B, not ${text}`);
  const [, from = '', to = ''] = match;
  return { from: Number(from), to: to === '' ? undefined : Number(to) };
}

function parseModel(name: string | undefined): Scenario['constants'] {
  if (name === undefined) return A100_8B;
  const model = MODELS.find((known) => known.name === name);
  if (model === undefined) {
    throw new UsageError(`no model is called ${name}; known: ${namesOf(MODELS)}`);
  }
  return model;
}

function parsePolicies(text: string): NamedPolicy[] {
  return text.split(',').map((name) => {
    const policy = policyByName(name.trim());
    if (policy === undefined) {
      throw new UsageError(`no policy is called ${name}; known: ${namesOf(POLICIES)}`);
    }
    return policy;
  });
}

function namesOf(things: readonly { readonly name: string }[]): string {
  return things.map(({ name }) => name).join(', ');
}
