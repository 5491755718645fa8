import {
  getLlama,
  getModuleVersion,
  LlamaGrammarEvaluationState,
  LlamaLogLevel,
  type Llama,
  type LlamaContextSequence,
  type LlamaGrammar,
  type LlamaModel,
  type SequenceEvaluateOptions,
  type Token,
} from 'node-llama-cpp';
import type { EngineOptions } from './engine-options.ts';
import { toGrammarSchema } from './grammar-schema.ts';
import { hasPenalties, type SamplingParams } from './sampling.ts';
import { toSampledProb } from './token-probs.ts';
import type {
  Constraint,
  ConstraintSource,
  SequenceSampling,
  TokenModel,
  TokenSequence,
} from './token-model.ts';

/** node-llama-cpp ends every JSON grammar with these, as a mark to stop at. */
const JSON_END_MARK = '\n\n\n\n';

/**
 * The exponent of node-llama-cpp's JSON numbers. It may be negative behind an integer and of sixteen
 * digits behind any number, which is then neither an integer nor finite.
 */
const JSON_EXPONENT = ' ([eE] [-+]? ("0" | [1-9] [0-9]{0,15}))?';

interface LlamaConstraint extends Constraint {
  readonly grammar: LlamaGrammar;
}

/**
 * Loads the model and opens one context with a KV sequence per slot, on the CPU.
 * @param onLog llama.cpp's own log lines.
 * @throws Error when the file is missing, is no model, or does not fit.
 */
export async function loadLlamaModel(
  options: EngineOptions,
  onLog: (line: string) => void,
): Promise<TokenModel> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: options.threads,
    logLevel: LlamaLogLevel.error,
    logger: (level, message) => onLog(`llama.cpp ${level}: ${message.trimEnd()}`),
  });
  const model = await llama.loadModel({ modelPath: options.modelPath, gpuLayers: 0 });
  const ctx = Math.min(options.ctxPerSlot, model.trainContextSize);
  const context = await model.createContext({
    contextSize: ctx,
    sequences: options.slots,
    threads: options.threads,
    batchSize: options.prefillChunk,
    // ggml's CPU flash attention walks row by row unless a batch is a multiple of 64 tokens: on
    // tiny-haiku it costs 3 times the decoding time at 1,000 tokens of context.
    flashAttention: false,
    // One sequence per batch: what a neighbour does must not change the shape of a computation.
    batching: {
      itemPrioritizationStrategy: ({ items, size }) =>
        items.slice(0, 1).map((item) => ({ item, processAmount: size })),
    },
  });
  const { release } = llama.llamaCppRelease;
  return {
    vocabSize: model.fileInfo.metadata.tokenizer.ggml.tokens.length,
    chatTemplate: model.fileInfo.metadata.tokenizer.chat_template,
    bosToken: model.tokens.bosString ?? '',
    eosToken: model.tokens.eosString ?? '',
    addsBos: model.tokens.shouldPrependBosToken,
    description: model.typeDescription,
    sizeBytes: model.size,
    trainCtx: model.trainContextSize,
    buildInfo: `node-llama-cpp-${await getModuleVersion()}/${release}`,
    ctx,
    sequences: Array.from({ length: options.slots }, () =>
      wrapSequence(model, context.getSequence()),
    ),
    tokenize: (text, { addSpecial, parseSpecial }) =>
      tokenize(model, text, addSpecial, parseSpecial),
    detokenize: (tokens, before) => model.detokenize(asTokens(tokens), false, asTokens(before)),
    render: (tokens) => model.detokenize(asTokens(tokens), true),
    isEndToken: (token) => model.isEogToken(token as Token),
    compileConstraint: (source) => compileConstraint(llama, source),
  };
}

function tokenize(model: LlamaModel, text: string, addSpecial: boolean, parseSpecial: boolean) {
  const tokens: number[] = text === '' ? [] : model.tokenize(text, parseSpecial);
  if (!addSpecial) return tokens;
  const { bos, eos, shouldPrependBosToken, shouldAppendEosToken } = model.tokens;
  if (shouldPrependBosToken && bos !== null) tokens.unshift(bos);
  if (shouldAppendEosToken && eos !== null) tokens.push(eos);
  return tokens;
}

function wrapSequence(model: LlamaModel, sequence: LlamaContextSequence): TokenSequence {
  const truncate = async (length: number): Promise<void> => {
    if (length >= sequence.nextTokenIndex) return;
    await sequence.eraseContextTokenRanges([{ start: length, end: sequence.nextTokenIndex }]);
  };
  return {
    get length() {
      return sequence.nextTokenIndex;
    },
    keepsPrefix: !sequence.needsCheckpoints,
    truncate,
    prefill: (tokens) => sequence.evaluateWithoutGeneratingNewTokens(asTokens(tokens)),
    decode: (tokens, sampling) =>
      sequence.evaluate(asTokens(tokens), evaluateOptions(model, sampling)),
    async weigh(batch, token, top) {
      await truncate(sequence.nextTokenIndex - batch.length);
      const last = batch.length - 1;
      const results = await sequence.controlledEvaluate(
        asTokens(batch).map((input, at) => (at < last ? input : [input, rawLogits(token, top)])),
      );
      const next = results[last]?.next;
      if (next?.logits === undefined || next.totalLogitWeight === undefined) {
        throw new Error('the evaluation gave no logits');
      }
      return toSampledProb(next.logits, next.totalLogitWeight, token, top);
    },
  };
}

/** Greedy without filters: the only sampling that leaves every logit as the model gave it. */
function rawLogits(token: number, top: number) {
  return {
    generateNext: {
      logits: { filter: { tokens: asTokens([token]), includeTop: top } },
      totalLogitWeight: true,
      options: { temperature: 0 },
    },
  };
}

function evaluateOptions(model: LlamaModel, sampling: SequenceSampling): SequenceEvaluateOptions {
  const { params, constraint, history } = sampling;
  return {
    temperature: params.temperature,
    topK: params.topK,
    topP: params.topP,
    minP: params.minP,
    seed: params.seed,
    yieldEogToken: true,
    ...(hasPenalties(params) ? { repeatPenalty: repeatPenalty(params, history) } : {}),
    ...(constraint === undefined
      ? {}
      : {
          grammarEvaluationState: new LlamaGrammarEvaluationState({
            model,
            grammar: (constraint as LlamaConstraint).grammar,
          }),
        }),
  };
}

function repeatPenalty(params: SamplingParams, history: () => readonly number[]) {
  return {
    punishTokens: () => asTokens(history().slice(-params.repeatLastN)),
    maxPunishTokens: params.repeatLastN,
    penalty: params.repeatPenalty,
    presencePenalty: params.presencePenalty,
    frequencyPenalty: params.frequencyPenalty,
  };
}

async function compileConstraint(llama: Llama, source: ConstraintSource): Promise<LlamaConstraint> {
  if (source.kind === 'grammar') {
    return { grammar: await llama.createGrammar({ grammar: source.gbnf }), endMark: undefined };
  }
  const grammar = await llama.createGrammarForJsonSchema(
    toGrammarSchema(source.schema) as Parameters<Llama['createGrammarForJsonSchema']>[0],
  );
  const plain = grammar.grammar.replaceAll(JSON_EXPONENT, '');
  return { grammar: await llama.createGrammar({ grammar: plain }), endMark: JSON_END_MARK };
}

/** Token ids are plain numbers everywhere else; node-llama-cpp brands them. */
function asTokens(tokens: readonly number[]): Token[] {
  return [...tokens] as Token[];
}
