/**
 * What it is worth that a session's turns meet the replica that holds its KV: twenty conversations over
 * two real llama-servers, through the daemon, and sent straight to two others in turn. Both put the same
 * texts, and let llama-server reuse what it has. Two more keep each session on one server by hand, as a
 * client could that knew all sessions.
 */
import { randomUUID } from 'node:crypto';
import { startRealServer } from '../llama-server/launch.ts';
import { isBuilt, llamaServerRecipe } from '../llama-server/recipe.ts';
import type { Bench, BenchContext, Row } from './bench.ts';
import {
  converse,
  postForEvents,
  type Answer,
  type Ask,
  type Conversations,
} from './conversations.ts';
import { startDaemon } from './daemon.ts';
import { percentile, spread } from './statistics.ts';

const REPLICAS = 2;
/** Twice what tiny-haiku was trained for, so that a turn's prompt costs something; only its time counts. */
const CTX = 4_096;
const LONGER = ['--override-kv', `llama.context_length=int:${CTX}`];
/** Sampling as the daemon fills it in. */
const SAMPLING = { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05 };

const FULL: Conversations = {
  sessions: 20,
  turns: 6,
  // The proportions of recorded agents: most of a prompt is there from the start.
  firstWords: 2_000,
  wordsPerTurn: 300,
  answerTokens: 24,
};
const QUICK: Conversations = { ...FULL, sessions: 4, turns: 2 };

/** Who chooses the replica of a turn. */
type Router = 'daemon' | 'round robin' | 'pinned';
type Round = ReadonlyMap<Router, readonly Answer[]>;

export const sessionAffinity: Bench = {
  name: 'session-affinity',
  about: 'first tokens of growing conversations on two real llama-servers, against round robin',
  async run(context) {
    const recipe = llamaServerRecipe({ env: process.env });
    if (!isBuilt(recipe)) {
      context.say('  SKIPPED: llama-server is not built; npm run build:llama-server builds it');
      return [];
    }
    const shape = context.quick ? QUICK : FULL;
    const rounds = context.quick ? 1 : 2;
    const rows: Row[] = [];
    for (const slots of [Math.ceil(shape.sessions * 0.6), shape.sessions]) {
      const label = `KV of ${slots} sessions a replica`;
      context.say(`  ${label}`);
      const measured: Round[] = [];
      for (let round = 0; round < rounds; round += 1) {
        measured.push(await runRound(context, recipe.binary, slots, shape, round));
      }
      // With room for all of them on each replica, even round robin finds most of what it computed before.
      rows.push(...rowsOf(label, measured, slots < shape.sessions ? 0.5 : undefined));
    }
    return rows;
  },
};

async function runRound(
  context: BenchContext,
  binary: string,
  slots: number,
  shape: Conversations,
  round: number,
): Promise<Round> {
  await using started = new AsyncDisposableStack();
  const startServers = async (): Promise<readonly string[]> => {
    const urls: string[] = [];
    for (let replica = 0; replica < REPLICAS; replica += 1) {
      const server = await startRealServer(binary, { slots, ctx: CTX, flags: LONGER });
      urls.push(started.use(server).url);
    }
    return urls;
  };
  const pool = {
    id: 'default',
    launch: 'external',
    endpoints: await startServers(),
    model: { id: 'tiny-haiku' },
    ctx: CTX,
    slots,
    // A busy machine is no reason to give a turn up.
    timeouts: { wall_ms: 300_000, idle_ms: 120_000, control_ms: 60_000 },
  };
  const daemon = started.use(await startDaemon(context, [pool]));
  await daemon.untilReady(pool.id, REPLICAS);
  const answers = await converse(
    shape,
    round,
    new Map<Router, Ask>([
      ['daemon', through(daemon.url, shape)],
      ['round robin', straightTo(await startServers(), 'in turn')],
      ['pinned', straightTo(await startServers(), 'by session')],
    ]),
  );
  for (const [router, their] of answers) {
    context.say(
      `    ${router}: ${meanFirst(their).toFixed(0)} ms to the first token, ` +
        `${percentComputed(their).toFixed(0)} % of prompt tokens computed`,
    );
  }
  return answers;
}

function through(url: string, { sessions }: Conversations): Ask {
  const ids = Array.from({ length: sessions }, () => randomUUID());
  return async ({ session, turn, prompt, maxTokens }) => {
    const task = {
      session_id: ids[session],
      prompt,
      prompt_format: 'raw',
      determinism: 'best_effort',
      max_tokens: maxTokens,
      seed: turn,
      ...SAMPLING,
    };
    const { events, firstMs } = await postForEvents(`${url}/v1/tasks`, task, 'event: token');
    const end = events.at(-1) as TaskEnd;
    if (end.tokens_in === undefined) throw new Error(`a turn failed: ${JSON.stringify(end)}`);
    const text = events.map((event) => (event as { readonly t?: string }).t ?? '').join('');
    return { text, firstMs, promptTokens: end.tokens_in, cachedTokens: end.cached_tokens };
  };
}

/** The data of an `end` event; an `error` has no counts. */
interface TaskEnd {
  readonly tokens_in?: number;
  readonly cached_tokens: number;
}

function straightTo(urls: readonly string[], chosen: 'in turn' | 'by session'): Ask {
  let asked = 0;
  return async ({ session, turn, prompt, maxTokens }) => {
    const url = urls[(chosen === 'in turn' ? asked : session) % urls.length] ?? '';
    asked += 1;
    const completion = {
      prompt,
      n_predict: maxTokens,
      seed: turn,
      samplers: ['top_k', 'top_p', 'min_p', 'temperature'],
      cache_prompt: true,
      stream: true,
      ...SAMPLING,
    };
    const { events, firstMs } = await postForEvents(
      `${url}/completion`,
      completion,
      '"stop":false',
    );
    const end = events.at(-1) as CompletionEnd;
    const text = events.map((event) => (event as { readonly content: string }).content).join('');
    return {
      text,
      firstMs,
      promptTokens: end.tokens_evaluated,
      cachedTokens: end.timings.cache_n,
    };
  };
}

/** The last object of llama-server's native stream. */
interface CompletionEnd {
  readonly tokens_evaluated: number;
  readonly timings: { readonly cache_n: number };
}

function rowsOf(label: string, rounds: readonly Round[], most: number | undefined): readonly Row[] {
  const of = (router: Router, figure: Figure) =>
    spread(rounds.map((round) => figure(round.get(router) ?? [])));
  const against = (router: Router, measure: string, unit: string, figure: Figure): Row => ({
    measure: `${label}: ${measure}`,
    unit,
    value: of(router, figure),
    reference: { name: 'round robin', value: of('round robin', figure) },
  });
  const ratios = rounds.map(
    (round) => meanFirst(round.get('daemon') ?? []) / meanFirst(round.get('round robin') ?? []),
  );
  return [
    against('daemon', 'first token, mean', 'ms', meanFirst),
    against('daemon', 'first token, p95', 'ms', p95First),
    {
      measure: `${label}: the mean, times that of round robin`,
      unit: '×',
      value: spread(ratios),
      ...(most === undefined ? {} : { target: { bound: 'at most', value: most } }),
    },
    against('daemon', 'prompt tokens computed', '%', percentComputed),
    against('pinned', 'first token, mean, pinned by hand without the daemon', 'ms', meanFirst),
    against('pinned', 'prompt tokens computed, pinned by hand', '%', percentComputed),
  ];
}

type Figure = (answers: readonly Answer[]) => number;

function meanFirst(answers: readonly Answer[]): number {
  return answers.reduce((sum, { firstMs }) => sum + firstMs, 0) / answers.length;
}

function p95First(answers: readonly Answer[]): number {
  return percentile(
    answers.map(({ firstMs }) => firstMs),
    0.95,
  );
}

function percentComputed(answers: readonly Answer[]): number {
  let prompt = 0;
  let cached = 0;
  for (const { promptTokens, cachedTokens } of answers) {
    prompt += promptTokens;
    cached += cachedTokens;
  }
  return ((prompt - cached) / prompt) * 100;
}
