/**
 * A small made-up trace with every trait the published ones have apart: Poisson arrivals with
 * bursts, conversations whose prompts grow on a shared prefix, tenants of unequal weight, batch
 * work and deadlines. For tests and for a first look; it stands for no real traffic.
 */
import { BLOCK_TOKENS } from './prefix-cache.ts';
import { createRandom, type SeededRandom } from './seeded-random.ts';
import type { Trace, TraceRequest } from './trace.ts';

export interface GeneratedTraceOptions {
  readonly requests: number;
  readonly seed: number;
  /** Between two arrivals outside bursts. */
  readonly meanGapMs: number;
}

const DEFAULTS: GeneratedTraceOptions = { requests: 400, seed: 1, meanGapMs: 250 };

/** Keeps its draws apart from those of overlays and of noise. */
const STREAM = 201;
const BURST_SHARE = 0.1;
const BURST_SPEED = 10;
const BURST_REQUESTS = 12;
const TENANTS = [0.5, 0.3, 0.15, 0.05];
const BATCH_SHARE = 0.15;
const CONTINUED_SHARE = 0.5;
/** The blocks every prompt of a tenant starts with: its system prompt. */
const SYSTEM_BLOCKS = 2;
const MAX_BLOCKS = 40;

export function generateTrace(options: Partial<GeneratedTraceOptions> = {}): Trace {
  const { requests, seed, meanGapMs } = { ...DEFAULTS, ...options };
  const random = createRandom(seed, STREAM);
  const conversations = TENANTS.map((): number[][] => []);
  let nextBlock = TENANTS.length * SYSTEM_BLOCKS;
  let arrivalMs = 0;
  let burstLeft = 0;
  const trace: TraceRequest[] = [];
  for (let row = 0; row < requests; row += 1) {
    if (burstLeft > 0) burstLeft -= 1;
    else if (random.next() < BURST_SHARE / BURST_REQUESTS) burstLeft = BURST_REQUESTS;
    arrivalMs += random.exponential(burstLeft > 0 ? meanGapMs / BURST_SPEED : meanGapMs);
    const tenant = tenantOf(random.next());
    const open = conversations[tenant] ?? [];
    const isContinued = random.next() < CONTINUED_SHARE && open.length > 0;
    const history = isContinued
      ? open[Math.floor(random.next() * open.length)]
      : Array.from({ length: SYSTEM_BLOCKS }, (_, block) => tenant * SYSTEM_BLOCKS + block);
    const blocks = [...(history ?? [])];
    for (let added = 1 + geometric(random, 3); added > 0; added -= 1) blocks.push(nextBlock++);
    if (blocks.length < MAX_BLOCKS) open.push(blocks);
    const promptTokens = (blocks.length - 1) * BLOCK_TOKENS + 1 + (geometric(random, 200) % 511);
    const outputTokens = 1 + geometric(random, 120);
    trace.push({
      arrivalMs,
      promptTokens,
      outputTokens,
      blocks,
      tenant: `t${tenant}`,
      priority: random.next() < BATCH_SHARE ? 'batch' : 'interactive',
      ttftSloMs: random.next() < 0.5 ? 1_000 : 20_000,
      maxTokens: 2 * outputTokens,
    });
  }
  return trace;
}

function tenantOf(draw: number): number {
  let upTo = 0;
  const tenant = TENANTS.findIndex((share) => draw < (upTo += share));
  return tenant < 0 ? TENANTS.length - 1 : tenant;
}

/** A whole number from 0 up, geometric with about this mean. */
function geometric(random: SeededRandom, mean: number): number {
  return Math.floor(random.exponential(mean));
}
