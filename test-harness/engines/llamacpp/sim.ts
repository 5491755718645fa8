import { EngineSim } from '../kit/engine-sim.ts';
import type { SimCall } from '../kit/engine-sim.ts';
import { renderChat } from '../kit/chat.ts';
import { sendJson, sendText } from '../kit/http-answers.ts';
import type { JsonBody, SimHttpError } from '../kit/http-answers.ts';
import { countTokensOf, embeddingOf, rankingOf } from '../kit/pooling.ts';
import { DEFAULT_SIM_OPTIONS } from '../kit/sim-options.ts';
import type { SimOptions } from '../kit/sim-options.ts';
import { detokenize, tokenizeBytes } from '../kit/vocabulary.ts';
import { Completion } from './completion.ts';
import { metricsAnswer, propsAnswer, slotsAnswer } from './control-answers.ts';
import { invalid, parseBody, parseCompletion } from './parse-request.ts';
import { notSupported, refusal } from './refusals.ts';
import { SlotFiles } from './slot-files.ts';

export interface LlamaCppOptions extends SimOptions {
  /** `--metrics` */
  readonly metrics: boolean;
  /** Whether slots can be erased, saved and restored: llama-server does so only with `--slot-save-path`. */
  readonly slotActions: boolean;
  /** `--slot-save-path`, a folder that exists; without it what is saved is lost with the process. */
  readonly slotSavePath: string | undefined;
  /** `--embedding` */
  readonly embedding: boolean;
  /** `--rerank` */
  readonly rerank: boolean;
  /** Extra keys of `/props`, for engines that declare more than llama-server does. */
  readonly extraProps: object;
}

/** A running simulator; see README.md for what it reproduces. */
export class LlamaCppSim extends EngineSim<LlamaCppOptions> {
  readonly #slotFiles: SlotFiles;

  constructor(options: LlamaCppOptions) {
    super(options);
    this.#slotFiles = new SlotFiles(options.slotSavePath);
  }

  protected override loading(): SimHttpError {
    return refusal(503, 'unavailable_error', 'Loading model');
  }

  protected override refusal(status: number, type?: string, message?: string): SimHttpError {
    return refusal(status, type ?? 'server_error', message ?? 'simulated');
  }

  protected override tooLong(promptTokens: number): SimHttpError {
    const message = 'the request exceeds the available context size';
    const sizes = { n_prompt_tokens: promptTokens, n_ctx: this.options.ctx };
    return refusal(400, 'exceed_context_size_error', message, sizes);
  }

  /** llama-server has no bound; one set all the same is answered as a server without a free slot. */
  protected override overloaded(): SimHttpError {
    return refusal(503, 'unavailable_error', 'no slot available');
  }

  protected override route(call: SimCall): void {
    const { route, query, text, res } = call;
    switch (route) {
      case 'GET /health':
      case 'GET /v1/health':
        return sendJson(res, { status: 'ok' });
      case 'GET /props':
        return sendJson(res, propsAnswer(this.options));
      case 'GET /slots':
        if (query.get('fail_on_no_slot') === '1' && this.slots.busy === this.options.slots) {
          throw this.overloaded();
        }
        return sendJson(res, slotsAnswer(this.slots, this.options.ctx));
      case 'GET /metrics':
        if (!this.options.metrics) throw notSupported('metrics');
        return sendText(res, metricsAnswer(this.slots, this.tokensSent));
      case 'POST /tokenize': {
        const body = parseBody(text);
        const content = typeof body['content'] === 'string' ? body['content'] : '';
        return sendJson(res, { tokens: tokenizeBytes(content, body['add_special'] === true) });
      }
      case 'POST /detokenize': {
        const { tokens } = parseBody(text);
        const ids = Array.isArray(tokens) ? tokens.map(Number) : [];
        return sendJson(res, { content: detokenize(ids) });
      }
      case 'POST /apply-template':
        return sendJson(res, { prompt: renderTemplate(parseBody(text)) });
      case 'POST /completion':
      case 'POST /completions':
        return this.#complete(call, parseBody(text));
      case 'POST /v1/embeddings':
        if (!this.options.embedding) throw notSupported('embedding');
        return this.compute(call, embeddings(parseBody(text)));
      case 'POST /v1/rerank':
        if (!this.options.rerank) throw notSupported('rerank');
        return this.compute(call, ranking(parseBody(text)));
      default:
        return this.#slotAction(call);
    }
  }

  #complete(call: SimCall, body: JsonBody): void {
    const asked = parseCompletion(body);
    let completion: Completion | undefined;
    this.complete(call, body, {
      request: { ...asked, maxTokens: asked.nPredict < 0 ? Infinity : asked.nPredict },
      slotId: asked.idSlot,
      begin: (generation, slot) => {
        completion = new Completion(asked, generation, slot);
        return completion.framing();
      },
      ...(asked.stream
        ? {}
        : {
            whole: (generation, _slot, text) => {
              call.res.setHeader('content-type', 'application/json; charset=utf-8');
              call.res.end(completion?.finalObject(text, generation.count));
            },
          }),
    });
  }

  #slotAction({ route, query, text, res }: SimCall): void {
    const id = /^POST \/slots\/(\d+)$/.exec(route)?.[1];
    if (id === undefined) throw refusal(404, 'not_found_error', 'File Not Found');
    if (!this.options.slotActions) throw notSupported('slot-save-path');
    const slot = this.slots.slots[Number(id)];
    if (slot === undefined) throw invalid('Invalid slot ID');
    const action = query.get('action');
    if (action === 'erase') {
      const erased = slot.heldTokens ?? 0;
      slot.heldText = '';
      slot.heldTokens = 0;
      return sendJson(res, { id_slot: slot.id, n_erased: erased });
    }
    const { filename } = parseBody(text);
    if (typeof filename !== 'string' || !/^[\w-][\w.-]*$/.test(filename)) {
      throw invalid('Invalid filename');
    }
    if (action === 'save') {
      const tokens = slot.heldTokens ?? 0;
      this.#slotFiles.save(filename, { text: slot.heldText, tokens });
      const timings = { save_ms: 0.1 };
      return sendJson(res, {
        id_slot: slot.id,
        filename,
        n_saved: tokens,
        n_written: slot.heldText.length,
        timings,
      });
    }
    if (action !== 'restore') throw invalid('Invalid action');
    const saved = this.#slotFiles.load(filename);
    if (saved === undefined)
      throw invalid(
        'Unable to restore slot, no available space in KV cache or invalid slot save file',
      );
    slot.heldText = saved.text;
    slot.heldTokens = saved.tokens;
    return sendJson(res, {
      id_slot: slot.id,
      filename,
      n_restored: saved.tokens,
      n_read: saved.text.length,
      timings: { restore_ms: 0.1 },
    });
  }
}

/** Starts a simulated `llama-server`. */
export async function startLlamaCppSim(
  options: Partial<LlamaCppOptions> = {},
): Promise<LlamaCppSim> {
  const sim = new LlamaCppSim({
    ...DEFAULT_SIM_OPTIONS,
    metrics: true,
    slotActions: true,
    slotSavePath: undefined,
    embedding: true,
    rerank: true,
    extraProps: {},
    ...options,
  });
  await sim.listen();
  return sim;
}

function renderTemplate(body: JsonBody): string {
  try {
    return renderChat(body['messages']);
  } catch (error) {
    throw invalid(String(error));
  }
}

function embeddings({ input }: JsonBody): object {
  const texts = (Array.isArray(input) ? input : [input]).map(String);
  const tokens = countTokensOf(texts);
  return {
    object: 'list',
    model: 'sim',
    data: texts.map((text, index) => ({
      object: 'embedding',
      index,
      embedding: embeddingOf(text),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function ranking({ query, documents, top_n }: JsonBody): object {
  if (typeof query !== 'string') throw invalid('"query" must be provided');
  if (!Array.isArray(documents)) throw invalid('"documents" must be a non-empty string array');
  const texts = documents.map(String);
  const top = typeof top_n === 'number' ? top_n : texts.length;
  const tokens = countTokensOf([query, ...texts]);
  return {
    object: 'list',
    model: 'sim',
    usage: { prompt_tokens: tokens, total_tokens: tokens },
    results: rankingOf(query, texts, top).map(({ index, score }) => ({
      index,
      relevance_score: score,
    })),
  };
}
