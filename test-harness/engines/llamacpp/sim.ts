import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Completion } from './completion.ts';
import { applyTemplate, metricsAnswer, propsAnswer, slotsAnswer } from './control-answers.ts';
import { planGeneration } from './generation.ts';
import { DEFAULT_SIM_OPTIONS, parseFault } from './options.ts';
import type { SimFault, SimOptions, SimStats } from './options.ts';
import { parseBody, parseCompletion, SimHttpError } from './parse-request.ts';
import { SlotTable } from './slots.ts';
import { detokenize, tokenizeBytes } from './vocabulary.ts';

/** A running simulator; see README.md for what it reproduces. */
export class LlamaCppSim implements AsyncDisposable {
  readonly options: SimOptions;
  readonly #server: Server;
  readonly #slots: SlotTable;
  readonly #completions = new Set<Completion>();
  #faults: SimFault[] = [];
  #loading: boolean;
  #closing = false;
  #sockets = 0;
  #blocked = 0;
  #started = 0;
  #finished = 0;
  #canceled = 0;
  #tokensSent = 0;
  /** The body of the last completion, for tests of what an adapter sends. */
  lastCompletion: Readonly<Record<string, unknown>> | undefined;

  constructor(options: SimOptions) {
    this.options = options;
    this.#slots = new SlotTable(options.slots);
    this.#loading = options.loadingMs > 0;
    this.#server = createServer((req, res) => void this.#serve(req, res));
    this.#server.on('connection', (socket) => {
      this.#sockets += 1;
      socket.once('close', () => (this.#sockets -= 1));
    });
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  get stats(): SimStats {
    return {
      sockets: this.#sockets,
      busySlots: this.#slots.busy,
      deferred: this.#slots.deferred,
      blocked: this.#blocked,
      completions: this.#started,
      finished: this.#finished,
      canceled: this.#canceled,
      tokensSent: this.#tokensSent,
    };
  }

  async listen(): Promise<void> {
    this.#server.listen(this.options.port, this.options.host);
    await once(this.#server, 'listening');
    if (this.#loading) {
      setTimeout(() => this.setLoading(false), this.options.loadingMs).unref();
    }
  }

  setLoading(loading: boolean): void {
    this.#loading = loading;
  }

  /** Lets the next `times` completions fail. */
  addFault(fault: SimFault, times = 1): void {
    for (let i = 0; i < times; i++) this.#faults.push(fault);
  }

  /**
   * Stops like llama-server on SIGTERM: generation ends at once, but open streams get no end and
   * keep the server until their clients leave.
   */
  async drain(): Promise<void> {
    this.#closing = true;
    for (const completion of this.#completions) completion.abandon();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  /** Drops every connection and stops listening. Safe to call twice. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const url = new URL(req.url ?? '/', 'http://localhost');
      const text = await readText(req);
      this.#route(`${req.method} ${url.pathname}`, url.searchParams, text, req, res);
    } catch (error) {
      const answer =
        error instanceof SimHttpError
          ? error
          : new SimHttpError(500, 'server_error', `in the simulator: ${String(error)}`);
      res.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8' });
      res.end(answer.toJson());
    }
  }

  #route(
    route: string,
    query: URLSearchParams,
    text: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): void {
    if (route.includes(' /__sim/')) {
      this.#control(route, text, res);
      return;
    }
    if (this.#loading) throw new SimHttpError(503, 'unavailable_error', 'Loading model');
    switch (route) {
      case 'GET /health':
      case 'GET /v1/health':
        return json(res, { status: 'ok' });
      case 'GET /props':
        return json(res, propsAnswer(this.options));
      case 'GET /slots':
        if (query.get('fail_on_no_slot') === '1' && this.#slots.busy === this.options.slots) {
          throw new SimHttpError(503, 'unavailable_error', 'no slot available');
        }
        return json(res, slotsAnswer(this.#slots, this.options.ctx));
      case 'GET /metrics':
        if (!this.options.metrics) throw notSupported('metrics');
        res.setHeader('content-type', 'text/plain; version=0.0.4');
        res.end(metricsAnswer(this.#slots, this.#tokensSent));
        return;
      case 'POST /tokenize': {
        const body = parseBody(text);
        const content = typeof body['content'] === 'string' ? body['content'] : '';
        return json(res, { tokens: tokenizeBytes(content, body['add_special'] === true) });
      }
      case 'POST /detokenize': {
        const { tokens } = parseBody(text);
        return json(res, { content: detokenize(Array.isArray(tokens) ? tokens.map(Number) : []) });
      }
      case 'POST /apply-template':
        return json(res, { prompt: renderTemplate(parseBody(text)) });
      case 'POST /completion':
      case 'POST /completions':
        return this.#complete(parseBody(text), req, res);
      default:
        return this.#slotAction(route, query, res);
    }
  }

  #complete(
    body: Readonly<Record<string, unknown>>,
    req: IncomingMessage,
    res: ServerResponse,
  ): void {
    this.lastCompletion = body;
    const request = parseCompletion(body);
    const fault = this.#takeFault(req);
    if (fault?.kind === 'http') {
      throw new SimHttpError(
        fault.status,
        fault.type ?? 'server_error',
        fault.message ?? 'simulated',
      );
    }
    if (fault?.kind === 'hang') return;
    const generation = planGeneration(request, this.options.ctx, this.options.tokens);
    if (generation.promptTokens >= this.options.ctx) {
      throw new SimHttpError(
        400,
        'exceed_context_size_error',
        'the request exceeds the available context size',
        { n_prompt_tokens: generation.promptTokens, n_ctx: this.options.ctx },
      );
    }
    let withdraw = () => {};
    const onClose = () => {
      withdraw();
      this.#canceled += 1;
    };
    res.once('close', onClose);
    withdraw = this.#slots.acquire(request.prompt, request.idSlot, (slot) => {
      res.off('close', onClose);
      this.#started += 1;
      const completion = new Completion(res, request, generation, slot, this.options, fault, {
        onTokens: (count) => (this.#tokensSent += count),
        onBlocked: (change) => (this.#blocked += change),
        onExit: (code) => this.#exit(code),
        onOver: (finished) => {
          this.#completions.delete(completion);
          if (finished) this.#finished += 1;
          else this.#canceled += 1;
          if (!this.#closing) this.#slots.release(slot);
        },
      });
      this.#completions.add(completion);
      completion.start();
    });
  }

  #takeFault(req: IncomingMessage): SimFault | undefined {
    const header = req.headers['x-sim-fault'];
    if (typeof header === 'string') return readFault(parseBody(header));
    return this.#faults.shift() ?? this.options.fault;
  }

  #exit(code: number): void {
    if (this.options.onExit !== undefined) this.options.onExit(code);
    else void this.close();
  }

  #slotAction(route: string, query: URLSearchParams, res: ServerResponse): void {
    const id = /^POST \/slots\/(\d+)$/.exec(route)?.[1];
    if (id === undefined) throw new SimHttpError(404, 'not_found_error', 'File Not Found');
    if (!this.options.slotActions) throw notSupported('slot-save-path');
    const slot = this.#slots.slots[Number(id)];
    if (query.get('action') !== 'erase' || slot === undefined) {
      throw new SimHttpError(400, 'invalid_request_error', 'Invalid action');
    }
    const erased = slot.heldTokens ?? 0;
    slot.heldText = '';
    slot.heldTokens = 0;
    json(res, { id_slot: slot.id, n_erased: erased });
  }

  #control(route: string, text: string, res: ServerResponse): void {
    switch (route) {
      case 'POST /__sim/fault': {
        const body = parseBody(text);
        this.addFault(readFault(body), Number(body['times'] ?? 1));
        return json(res, {});
      }
      case 'POST /__sim/loading':
        this.setLoading(parseBody(text)['loading'] === true);
        return json(res, {});
      case 'GET /__sim/stats':
        return json(res, this.stats);
      default:
        throw new SimHttpError(404, 'not_found_error', 'File Not Found');
    }
  }
}

/** Starts a simulated `llama-server`; `options` not given are in `DEFAULT_SIM_OPTIONS`. */
export async function startLlamaCppSim(options: Partial<SimOptions> = {}): Promise<LlamaCppSim> {
  const sim = new LlamaCppSim({ ...DEFAULT_SIM_OPTIONS, ...options });
  await sim.listen();
  return sim;
}

async function readText(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function json(res: ServerResponse, value: object): void {
  res.setHeader('content-type', 'application/json; charset=utf-8');
  res.end(JSON.stringify(value));
}

function renderTemplate(body: Readonly<Record<string, unknown>>): string {
  try {
    return applyTemplate(body['messages']);
  } catch (error) {
    throw new SimHttpError(400, 'invalid_request_error', String(error));
  }
}

function readFault(value: unknown): SimFault {
  try {
    return parseFault(value);
  } catch (error) {
    throw new SimHttpError(400, 'invalid_request_error', String(error));
  }
}

function notSupported(flag: string): SimHttpError {
  return new SimHttpError(
    501,
    'not_supported_error',
    `This server does not support it: start with --${flag}`,
  );
}
