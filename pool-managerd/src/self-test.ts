/**
 * What a replica must show before it is ready (ORCH-3002, ORCH-3049): its properties fit the
 * configuration, it tokenizes, it decodes, and a cancelled decode gives its slot back.
 */
import { EngineError } from '@llama-orch/worker-adapters';
import type {
  EngineProps,
  EngineRequest,
  EngineResult,
  TokenSink,
  WorkerAdapter,
  Workload,
} from '@llama-orch/worker-adapters';
import { pause } from './deadline.ts';
import type { Clock } from './ports.ts';
import { learnPromptEnvelope } from './prompt-envelope.ts';
import type { ChatRendering } from './types.ts';

export interface SelfTestReport {
  readonly props: EngineProps;
  readonly envelope: ChatRendering | undefined;
}

export interface SelfTestExpectation {
  /** Context per slot, tokens. */
  readonly ctx: number;
  /** What the pool serves, and the engine must therefore show. */
  readonly workloads: readonly Workload[];
  /** Nobody else uses the engine, so its metrics tell whether the cancelled slot is free. */
  readonly exclusive: boolean;
}

/** The engine works but cannot be what the configuration promises; starting it again cannot help. */
export class MisfitError extends Error {
  override readonly name = 'MisfitError';
}

const TEXT = 'The quick brown fox';
const SLOT_POLL_MS = 10;
const NO_SINK: TokenSink = { started: () => undefined, tokens: () => undefined };

/**
 * @param signal bounds the whole test
 * @throws MisfitError when the properties contradict the configuration
 * @throws Error naming the step that failed
 */
export async function selfTest(
  adapter: WorkerAdapter,
  expected: SelfTestExpectation,
  clock: Clock,
  signal: AbortSignal,
): Promise<SelfTestReport> {
  const props = await step('props', () => adapter.props(signal));
  if (props.ctx !== undefined && props.ctx < expected.ctx) {
    throw new MisfitError(
      `the engine offers a context of ${props.ctx} tokens per slot, configured are ${expected.ctx}`,
    );
  }
  if (props.slots !== undefined && props.slots < 1)
    throw new MisfitError('the engine offers no slot');
  const { workloads, exclusive } = expected;
  if (workloads.includes('embedding')) await step('embed', () => tinyEmbed(adapter, signal));
  if (workloads.includes('rerank')) await step('rerank', () => tinyRerank(adapter, signal));
  if (!workloads.includes('completion')) return { props, envelope: undefined };
  await step('tokenize', () => tokenize(adapter, signal));
  await step('decode', () => tinyDecode(adapter, signal));
  await step('cancel', () => cancelDecode(adapter, exclusive, clock, signal));
  const envelope = await step('template', () => learnPromptEnvelope(adapter, props, signal));
  return { props, envelope };
}

/** Text first; a server that only chats refuses it, and is asked in its way. */
async function generate(
  adapter: WorkerAdapter,
  asked: EngineRequest,
  sink: TokenSink,
  signal: AbortSignal,
): Promise<EngineResult> {
  try {
    return await adapter.submit(asked, sink, signal);
  } catch (error) {
    if (!(error instanceof EngineError && error.fault === 'permanent')) throw error;
    return adapter.submit({ ...asked, prompt: [{ role: 'user', content: TEXT }] }, sink, signal);
  }
}

async function tinyDecode(adapter: WorkerAdapter, signal: AbortSignal): Promise<void> {
  const { tokensOut } = await generate(adapter, request('decode', 1), NO_SINK, signal);
  if (tokensOut < 1) throw new Error('no token came back');
}

/** The cheapest proof that an engine still computes what it is there for. @throws EngineError */
export function tinyWork(
  adapter: WorkerAdapter,
  workloads: readonly Workload[],
  signal: AbortSignal,
): Promise<void> {
  if (workloads.includes('completion')) return tinyDecode(adapter, signal);
  return workloads.includes('embedding') ? tinyEmbed(adapter, signal) : tinyRerank(adapter, signal);
}

async function tinyEmbed(adapter: WorkerAdapter, signal: AbortSignal): Promise<void> {
  const ids = { taskId: 'self-test-embed', correlationId: 'self-test-embed' };
  await adapter.embed({ ...ids, inputs: [TEXT] }, signal);
}

async function tinyRerank(adapter: WorkerAdapter, signal: AbortSignal): Promise<void> {
  const ids = { taskId: 'self-test-rerank', correlationId: 'self-test-rerank' };
  const documents = [TEXT, 'The lazy dog'];
  const request = { ...ids, query: 'a fox', documents, topN: undefined };
  const { results } = await adapter.rerank(request, signal);
  if (results.length !== documents.length) throw new Error('not every document was ranked');
}

async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new Error(`self-test: ${name}: ${detail}`, { cause: error });
  }
}

async function tokenize(adapter: WorkerAdapter, signal: AbortSignal): Promise<void> {
  const tokens = await adapter.countTokens(TEXT, signal);
  if (tokens === undefined) return;
  if (!Number.isInteger(tokens) || tokens < 1) throw new Error('no tokens were counted');
}

async function cancelDecode(
  adapter: WorkerAdapter,
  exclusive: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const cancel = new AbortController();
  const sink: TokenSink = { started: () => undefined, tokens: () => cancel.abort() };
  try {
    const either = AbortSignal.any([signal, cancel.signal]);
    await generate(adapter, request('cancel', 256), sink, either);
  } catch (error) {
    // The rejection is the cancel itself, unless the time for the whole test ran out.
    signal.throwIfAborted();
    if (!cancel.signal.aborted) throw error;
  }
  const idle = exclusive && (await becomesIdle(adapter, clock, signal));
  if (!idle) await tinyDecode(adapter, signal);
}

/** Waits until no slot is busy; false when the engine does not tell. */
async function becomesIdle(
  adapter: WorkerAdapter,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    for (;;) {
      const { running } = await adapter.metrics(signal);
      if (running === undefined || running === 0) return running === 0;
      await pause(clock, SLOT_POLL_MS, signal);
    }
  } catch (error) {
    if (error instanceof EngineError && error.fault === 'permanent') return false;
    throw error;
  }
}

function request(name: string, maxTokens: number): EngineRequest {
  return {
    taskId: `self-test-${name}`,
    correlationId: `self-test-${name}`,
    prompt: TEXT,
    maxTokens,
    seed: 1,
    sampling: {
      temperature: 0,
      topK: 1,
      topP: 1,
      minP: 0,
      stop: [],
      grammar: undefined,
      jsonSchema: undefined,
      logprobs: 0,
    },
    deterministic: false,
    reuseKv: false,
  };
}
