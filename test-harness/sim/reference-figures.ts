/**
 * The published figures this simulator is checked against: traces, settings and what the reference
 * simulator measured. Times in seconds.
 */

export interface ReferenceFigures {
  readonly mean?: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly tpotP99?: number;
  readonly good?: number;
  readonly hits?: number;
  readonly onTime?: number;
  readonly rejected?: number;
  readonly late?: number;
  readonly gap?: number;
}

export interface ReferenceCase {
  readonly title: string;
  readonly trace: string;
  readonly speed: number;
  readonly replicas: number;
  readonly cacheTokens: number;
  readonly slo: { readonly ttftMs: number; readonly tpotMs: number };
  readonly bound: ReferenceFigures;
  readonly policies: Readonly<Record<string, ReferenceFigures>>;
}

const CONVERSATION = {
  trace: 'azure2023_conv.csv',
  replicas: 4,
  cacheTokens: 0,
  slo: { ttftMs: 1_000, tpotMs: 50 },
};
const CODE = { ...CONVERSATION, trace: 'azure2023_code.csv' };
const MOONCAKE = {
  trace: 'mooncake_conversation.jsonl',
  replicas: 8,
  cacheTokens: 3_000_000,
  slo: { ttftMs: 5_000, tpotMs: 100 },
};
const MOONCAKE_BOUND: ReferenceFigures = { mean: 1.06, p99: 16.7, onTime: 0.962, hits: 0.353 };

/** Cases in which requests carry no deadlines of their own. */
export const LATENCY_CASES: readonly ReferenceCase[] = [
  {
    title: 'Azure conversation ×3, N=4',
    ...CONVERSATION,
    speed: 3,
    bound: { mean: 0.093, p99: 0.321 },
    policies: {
      'round-robin': { mean: 0.167, p99: 0.767, tpotP99: 0.078, good: 0.928 },
      'least-requests': { mean: 0.174, p99: 0.757, tpotP99: 0.067, good: 0.947 },
      'least-tokens': { mean: 0.133, p99: 0.517, tpotP99: 0.066, good: 0.953 },
      'min-ttft': { mean: 0.124, p99: 0.493, tpotP99: 0.066, good: 0.951 },
      'central-fcfs': { mean: 0.132, p99: 0.53, tpotP99: 0.064, good: 0.956 },
    },
  },
  {
    title: 'Azure code ×2, N=4',
    ...CODE,
    speed: 2,
    bound: { mean: 0.448, p99: 4.61, onTime: 0.968 },
    policies: {
      'round-robin': { mean: 1.57, p50: 0.6, p99: 11.9, good: 0.417 },
      'min-ttft': { mean: 1.42, p50: 0.49, p99: 11.4, good: 0.407 },
      'central-fcfs': { mean: 1.43, p50: 0.48, p99: 11.5, good: 0.419 },
      'central-shortest': { mean: 0.73, p50: 0.24, p99: 11.2, good: 0.425 },
    },
  },
  {
    title: 'Mooncake conversation ×0.6, N=8',
    ...MOONCAKE,
    speed: 0.6,
    bound: MOONCAKE_BOUND,
    policies: {
      'round-robin': { mean: 3.59, p99: 32.6 },
      'least-requests': { mean: 2.67, p99: 28.1 },
      'least-tokens': { mean: 1.65, p99: 20.6 },
      sglang: { mean: 2.18, p99: 26.9 },
      'llmd-blend': { mean: 2.0, p99: 23.8 },
      dynamo: { mean: 1.51, p99: 17.1 },
      'llmd-sticky': { mean: 1.29, p99: 17.0 },
      'min-ttft': { mean: 1.28, p99: 17.3 },
      'central-fcfs': { mean: 1.45, p99: 18.7 },
    },
  },
  {
    title: 'Mooncake conversation ×0.8, N=8',
    ...MOONCAKE,
    speed: 0.8,
    bound: MOONCAKE_BOUND,
    policies: {
      'round-robin': { mean: 6.05, p99: 45.2, hits: 0.111 },
      'least-requests': { mean: 3.29, p99: 30.6, hits: 0.105 },
      'least-tokens': { mean: 1.76, p99: 20.1, hits: 0.108 },
      sglang: { mean: 2.62, p99: 28.3, hits: 0.343 },
      'llmd-blend': { mean: 2.48, p99: 28.7, hits: 0.334 },
      dynamo: { mean: 1.7, p99: 17.7, hits: 0.227 },
      'llmd-sticky': { mean: 1.37, p99: 17.1, hits: 0.311 },
      'min-ttft': { mean: 1.35, p99: 17.8, hits: 0.32 },
      'central-fcfs': { mean: 1.55, p99: 18.6, hits: 0.177 },
    },
  },
  {
    title: 'Mooncake conversation ×1.0, N=8',
    ...MOONCAKE,
    speed: 1,
    bound: MOONCAKE_BOUND,
    policies: {
      'round-robin': { mean: 19.1, p99: 118, good: 0.44 },
      'least-requests': { mean: 4.33, p99: 33.6, good: 0.667 },
      'least-tokens': { mean: 2.02, p99: 20.1, good: 0.752 },
      sglang: { mean: 3.34, p99: 32.8, good: 0.802 },
      'llmd-blend': { mean: 3.2, p99: 30.3, good: 0.807 },
      dynamo: { mean: 2.05, p99: 18.6, good: 0.837 },
      'llmd-sticky': { mean: 1.5, p99: 17.7, good: 0.89 },
      'min-ttft': { mean: 1.46, p99: 18.2, good: 0.901 },
      'central-fcfs': { mean: 1.8, p99: 19.3, good: 0.804 },
    },
  },
  {
    title: 'Mooncake conversation ×0.8, N=8, cache in HBM only',
    ...MOONCAKE,
    cacheTokens: 420_000,
    speed: 0.8,
    bound: {},
    policies: {
      'round-robin': { mean: 7.15 },
      sglang: { mean: 3.29 },
      'llmd-blend': { mean: 3.41 },
      'llmd-sticky': { mean: 1.72 },
      'min-ttft': { mean: 1.71 },
    },
  },
];

/** Code trace, half the requests within 1 s and half within 20 s, central queue. */
export const DEADLINE_CASES: readonly ReferenceCase[] = [
  {
    title: 'Azure code ×1, mixed deadlines, N=4',
    ...CODE,
    speed: 1,
    bound: { onTime: 1 },
    policies: {
      'central-fcfs': { onTime: 0.941 },
      edf: { onTime: 0.977 },
      'central-shortest': { onTime: 0.98 },
      'edf-reject': { onTime: 0.997, rejected: 0.002, late: 0.002 },
      'tight-shortest-reject': { onTime: 0.997 },
    },
  },
  {
    title: 'Azure code ×2, mixed deadlines, N=4',
    ...CODE,
    speed: 2,
    bound: { onTime: 0.996 },
    policies: {
      'central-fcfs': { onTime: 0.848 },
      edf: { onTime: 0.943 },
      'central-shortest': { onTime: 0.946 },
      'edf-reject': { onTime: 0.982, rejected: 0.012, late: 0.007 },
      'tight-shortest-reject': { onTime: 0.985 },
    },
  },
  {
    title: 'Azure code ×4, mixed deadlines, N=4',
    ...CODE,
    speed: 4,
    bound: { onTime: 0.989 },
    policies: {
      'central-fcfs': { onTime: 0.619 },
      edf: { onTime: 0.828 },
      'central-shortest': { onTime: 0.864 },
      'edf-reject': { onTime: 0.956, rejected: 0.033, late: 0.01 },
      'tight-shortest-reject': { onTime: 0.95 },
    },
  },
];

/** Arena trace on one replica with 32 slots and 35,000 tokens of KV. */
export const ARENA_TRACE = 'vtc_arena_27clients.csv';

/** ×2 beside a tenant at 8 requests/s: times to first token of the others. */
export const FLOOD_FIGURES: Readonly<Record<string, ReferenceFigures>> = {
  alone: { mean: 0.03, p99: 0.09 },
  'central-fcfs': { mean: 45, p99: 97 },
  'central-shortest': { mean: 31, p99: 253 },
  'tenant-round-robin': { mean: 0.69, p99: 7.0 },
  sfq: { mean: 0.74, p99: 7.1 },
  vtc: { mean: 0.65, p99: 4.9 },
};

/** ×4 without it: the largest service gap, tokens. */
export const GAP_FIGURES: Readonly<Record<string, ReferenceFigures>> = {
  'central-fcfs': { gap: 47_870 },
  'central-shortest': { gap: 51_302 },
  'tenant-round-robin': { gap: 2_920 },
  sfq: { gap: 4_308 },
  vtc: { gap: 1_227 },
};
