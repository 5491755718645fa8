import { createChatTemplate, type ChatTemplate } from './chat-template.ts';
import type { CompletionParams } from './completion-request.ts';
import type { EngineOptions } from './engine-options.ts';
import { createEngineMetrics, type EngineMetrics } from './metrics.ts';
import { createSlotBoard, type SlotBoard, type SlotTask } from './slots.ts';
import type { TokenModel } from './token-model.ts';

/** Requests that may wait for a slot. llama-server has no such bound; a queue in front is wiser. */
const MAX_DEFERRED = 512;

/** A loaded engine: all that the routes work on. */
export interface EngineContext {
  readonly options: EngineOptions;
  readonly model: TokenModel;
  readonly board: SlotBoard;
  readonly metrics: EngineMetrics;
  readonly template: ChatTemplate;
  newTask(settings: SlotTask['settings'], params: CompletionParams): SlotTask;
}

export function createEngineContext(options: EngineOptions, model: TokenModel): EngineContext {
  let tasks = 0;
  return {
    options,
    model,
    board: createSlotBoard(model.sequences, {
      chunk: options.prefillChunk,
      maxDeferred: MAX_DEFERRED,
    }),
    metrics: createEngineMetrics(),
    template: createChatTemplate(model),
    newTask: (settings, params) => ({
      id: (tasks += 1),
      settings,
      promptTokens: params.prompt.length,
      maxTokens: params.maxTokens,
      cachedTokens: 0,
      processedTokens: 0,
      decodedTokens: 0,
      hasNewLine: false,
      running: true,
    }),
  };
}
