/** The command line of `npm run sim`, parsed and checked. `cli-usage.ts` says what it means. */
import { parseArgs } from 'node:util';
import type { Preemption, TenantSpec } from '@llama-orch/orchestrator-core';
import { A100_8B, MODELS } from './iteration-time.ts';
import type { NamedPolicy } from './policy.ts';
import { POLICIES, policyByName } from './policies/catalogue.ts';
import { llamaOrch, llamaOrchWith } from './policies/llama-orch.ts';
import type { Slo } from './summary.ts';
import { DEFAULT_SCENARIO, type Scenario } from './world.ts';

export const GENERATED = 'generated';

export interface PlayOptions {
  readonly kind: 'play';
  readonly trace: string;
  readonly speed: number;
  readonly rows: { readonly from: number; readonly to: number | undefined };
  readonly mixedDeadlines: boolean;
  /** Tenants and their weights; empty when none were given. */
  readonly tenants: readonly TenantSpec[];
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

export interface VerdictOptions {
  readonly kind: 'verdict';
  readonly traces: string;
  /** Other rows of the traces instead of other conditions. */
  readonly slices: boolean;
  /** Only parts whose title contains this, in any case. */
  readonly only: string;
  readonly json: string | undefined;
  readonly svg: string | undefined;
}

export interface LedgerOptions {
  readonly kind: 'ledger';
  readonly dataDir: string;
  readonly pool: string | undefined;
  /** Undefined: as many as were seen in the ledger. */
  readonly replicas: number | undefined;
  /** Undefined: as many as the ledger shows in use at once on one replica. */
  readonly slots: number | undefined;
  readonly speed: number;
  /** A known model, or constants fitted to what the ledger recorded. */
  readonly model: Scenario['constants'] | undefined;
  readonly tokenBudget: number;
  readonly kvTokens: number;
  /** Undefined: as much as KV memory where the ledger records hits, else none. */
  readonly cacheTokens: number | undefined;
  readonly policies: readonly NamedPolicy[];
  readonly json: string | undefined;
}

export type SimOptions =
  | PlayOptions
  | ReproduceOptions
  | VerdictOptions
  | LedgerOptions
  | { readonly kind: 'check' }
  | { readonly kind: 'help' };

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
  preemption: { type: 'string' },
  tenants: { type: 'string' },
  reproduce: { type: 'boolean' },
  verdict: { type: 'boolean' },
  slices: { type: 'boolean' },
  only: { type: 'string' },
  traces: { type: 'string' },
  ledger: { type: 'string' },
  pool: { type: 'string' },
  check: { type: 'boolean' },
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
  if (flags.check === true) return { kind: 'check' };
  if (flags.reproduce === true) {
    return { kind: 'reproduce', traces: tracesOf(flags, 'reproduce'), json: flags.json };
  }
  if (flags.verdict === true) return parseVerdict(flags);
  if (flags.ledger !== undefined) return parseLedger(flags, flags.ledger);
  return parsePlay(flags);
}

function parsePlay(flags: Flags): PlayOptions {
  if (flags.trace === undefined) throw new UsageError(`give --trace FILE, or --trace ${GENERATED}`);
  const tenants = parseTenants(flags.tenants);
  return {
    kind: 'play',
    trace: flags.trace,
    speed: positive(flags, 'speed', 1),
    rows: parseRows(flags.rows),
    mixedDeadlines: flags['mixed-deadlines'] === true,
    tenants,
    policies: parsePolicies(flags, tenants),
    scenario: {
      replicas: count(flags, 'replicas', DEFAULT_SCENARIO.replicas),
      constants: parseModel(flags.model) ?? A100_8B,
      tokenBudget: count(flags, 'token-budget', DEFAULT_SCENARIO.tokenBudget),
      kvTokens: count(flags, 'kv-tokens', DEFAULT_SCENARIO.kvTokens),
      cacheTokens: notNegative(flags, 'cache-tokens', 0),
      slots: count(flags, 'slots', Infinity),
      noise: noise(flags),
      seed: notNegative(flags, 'seed', 1),
      slowdowns: [slowReplica(flags)],
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

function parseVerdict(flags: Flags): VerdictOptions {
  return {
    kind: 'verdict',
    traces: tracesOf(flags, 'verdict'),
    slices: flags.slices === true,
    only: flags.only ?? '',
    json: flags.json,
    svg: flags.svg,
  };
}

function parseLedger(flags: Flags, dataDir: string): LedgerOptions {
  return {
    kind: 'ledger',
    dataDir,
    pool: flags.pool,
    replicas: flags.replicas === undefined ? undefined : count(flags, 'replicas', 1),
    slots: flags.slots === undefined ? undefined : count(flags, 'slots', 1),
    speed: positive(flags, 'speed', 1),
    model: parseModel(flags.model),
    tokenBudget: count(flags, 'token-budget', DEFAULT_SCENARIO.tokenBudget),
    kvTokens: count(flags, 'kv-tokens', DEFAULT_SCENARIO.kvTokens),
    cacheTokens:
      flags['cache-tokens'] === undefined ? undefined : notNegative(flags, 'cache-tokens', 0),
    policies: parsePolicies(flags, parseTenants(flags.tenants), 'llama-orch,least-requests'),
    json: flags.json,
  };
}

function tracesOf(flags: Flags, mode: 'reproduce' | 'verdict'): string {
  if (flags.traces === undefined) throw new UsageError(`--${mode} needs --traces DIR`);
  return flags.traces;
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

/** The bounds take every other replica for the fastest there is. */
function slowReplica(flags: Flags): number {
  const value = positive(flags, 'slow-replica', 1);
  if (value < 1) throw new UsageError('--slow-replica must be at least 1');
  return value;
}

function parseModel(name: string | undefined): Scenario['constants'] | undefined {
  if (name === undefined) return undefined;
  const model = MODELS.find((known) => known.name === name);
  if (model === undefined) {
    throw new UsageError(`no model is called ${name}; known: ${namesOf(MODELS)}`);
  }
  return model;
}

const DEFAULT_POLICIES = 'llama-orch,round-robin,least-requests,min-ttft';

function parsePolicies(
  flags: Flags,
  tenants: readonly TenantSpec[],
  fallback = DEFAULT_POLICIES,
): NamedPolicy[] {
  const preemption = parsePreemption(flags.preemption);
  const pool = preemption === undefined ? {} : { pool: { preemption } };
  return (flags.policy ?? fallback).split(',').map((name) => {
    const policy = policyByName(name.trim());
    if (policy === undefined) {
      throw new UsageError(`no policy is called ${name}; known: ${namesOf(POLICIES)}`);
    }
    return policy === llamaOrch ? llamaOrchWith({ tenants, ...pool }) : policy;
  });
}

const PREEMPTIONS: readonly Preemption[] = ['off', 'soft', 'hard'];

function parsePreemption(text: string | undefined): Preemption | undefined {
  const preemption = PREEMPTIONS.find((known) => known === text);
  if (text !== undefined && preemption === undefined) {
    throw new UsageError(`--preemption takes ${PREEMPTIONS.join(', ')}, not ${text}`);
  }
  return preemption;
}

/** `a:1,b:2.5` */
function parseTenants(text: string | undefined): TenantSpec[] {
  if (text === undefined) return [];
  return text.split(',').map((part) => {
    const match = /^([^:]+):(\d+(?:\.\d+)?)$/.exec(part.trim());
    const weight = Number(match?.[2]);
    if (match === null || !(weight > 0)) {
      throw new UsageError(`--tenants takes NAME:WEIGHT[,…] with weights above 0, not ${part}`);
    }
    return { tenantId: match[1] ?? '', weight, maxConcurrent: undefined };
  });
}

function namesOf(things: readonly { readonly name: string }[]): string {
  return things.map(({ name }) => name).join(', ');
}
