import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FaultDraw, parseFault } from './faults.ts';
import type { HttpFault, SimFault } from './faults.ts';
import { planGeneration } from './generation.ts';
import type { Generation, GenerationRequest } from './generation.ts';
import { parseObject, readText, sendJson, SimHttpError } from './http-answers.ts';
import type { JsonBody } from './http-answers.ts';
import type { SimOptions, SimStats } from './sim-options.ts';
import { SlotTable } from './slots.ts';
import type { SimSlot } from './slots.ts';
import { TokenStream } from './token-stream.ts';
import type { Framing } from './token-stream.ts';

/** One request to the simulator, its body read. */
export interface SimCall {
  /** Method and path, `POST /v1/completions`. */
  readonly route: string;
  readonly query: URLSearchParams;
  readonly text: string;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** A completion as the protocol understood it. */
export interface SimCompletion {
  readonly request: GenerationRequest;
  /** The slot asked for, modulo their number; -1 for any. */
  readonly slotId?: number;
  /** The status is sent when the request has arrived, and not only when a slot takes it. */
  readonly answersAtOnce?: boolean;
  /** Called when a slot takes it, and before it is changed: it may hold KV. */
  readonly begin: (generation: Generation, slot: SimSlot) => Framing;
  /** Instead of a stream: sends the answer to a request that did not ask for one. */
  readonly whole?: (generation: Generation, slot: SimSlot, text: string) => void;
}

/**
 * A simulated engine: slots, faults, loading and shutdown are the same for all; routes, shapes and
 * refusals are the protocol's.
 */
export abstract class EngineSim<
  Options extends SimOptions = SimOptions,
> implements AsyncDisposable {
  readonly options: Options;
  /** The body of the last completion, for tests of what an adapter sends. */
  lastCompletion: JsonBody | undefined;
  protected readonly slots: SlotTable;
  protected tokensSent = 0;
  readonly #server: Server;
  readonly #streams = new Set<TokenStream>();
  readonly #draw: FaultDraw;
  #faults: SimFault[] = [];
  #loading: boolean;
  #port: number;
  #closing = false;
  #sockets = 0;
  #blocked = 0;
  #started = 0;
  #finished = 0;
  #canceled = 0;

  constructor(options: Options) {
    this.options = options;
    this.slots = new SlotTable(options.slots);
    this.#draw = new FaultDraw(options.faultPercent, options.faultSeed, options.faultKinds);
    this.#loading = options.loadingMs > 0;
    this.#port = options.port;
    this.#server = createServer((req, res) => void this.#serve(req, res));
    this.#server.on('connection', (socket) => {
      this.#sockets += 1;
      socket.once('close', () => (this.#sockets -= 1));
    });
  }

  /** Answers one request, or throws a `SimHttpError`. */
  protected abstract route(call: SimCall): void;
  /** How the protocol answers while it loads; undefined when it does not even listen. */
  protected abstract loading(): SimHttpError | undefined;
  /** A refusal with this status, in the protocol's words. */
  protected abstract refusal(status: number, type?: string, message?: string): SimHttpError;
  /** How it refuses a prompt that leaves no room in the context. */
  protected abstract tooLong(promptTokens: number): SimHttpError;
  /** How it refuses one request more than its queue holds. */
  protected abstract overloaded(): SimHttpError;

  get url(): string {
    return `http://${this.options.host}:${this.#port}`;
  }

  get stats(): SimStats {
    return {
      sockets: this.#sockets,
      busySlots: this.slots.busy,
      deferred: this.slots.deferred,
      blocked: this.#blocked,
      completions: this.#started,
      finished: this.#finished,
      canceled: this.#canceled,
      tokensSent: this.tokensSent,
    };
  }

  async listen(): Promise<void> {
    await this.#open();
    this.#port = (this.#server.address() as AddressInfo).port;
    if (!this.#loading) return;
    await this.setLoading(true);
    setTimeout(() => void this.setLoading(false), this.options.loadingMs).unref();
  }

  /** An engine that does not listen while it loads drops its port, and takes the same one again. */
  async setLoading(loading: boolean): Promise<void> {
    this.#loading = loading;
    if (this.loading() !== undefined) return;
    if (loading) await this.close();
    else if (!this.#server.listening) await this.#open();
  }

  /** Lets the next `times` completions fail. */
  addFault(fault: SimFault, times = 1): void {
    for (let i = 0; i < times; i++) this.#faults.push(fault);
  }

  /** Forgets the faults that nobody has met. */
  dropFaults(): void {
    this.#faults = [];
  }

  /**
   * Stops like llama-server on SIGTERM: generation ends at once, but open streams get no end and
   * keep the server until their clients leave.
   */
  async drain(): Promise<void> {
    this.#closing = true;
    for (const stream of this.#streams) stream.abandon();
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

  /** Runs a completion through fault, context, queue and slot. @throws SimHttpError */
  protected complete({ req, res }: SimCall, body: JsonBody, completion: SimCompletion): void {
    this.lastCompletion = body;
    const { ctx, tokens, queue, slots, drift } = this.options;
    const { request, slotId = -1 } = completion;
    const fault = this.#takeFault(req, request.prompt);
    if (fault?.kind === 'http') throw this.#refused(fault);
    if (fault?.kind === 'hang') return;
    const generation = planGeneration(request, ctx, tokens, drift);
    if (generation.promptTokens >= ctx) throw this.tooLong(generation.promptTokens);
    if (this.slots.busy >= slots && this.slots.deferred >= queue) throw this.overloaded();
    let withdraw = () => {};
    const onClose = () => {
      withdraw();
      this.#canceled += 1;
    };
    res.once('close', onClose);
    withdraw = this.slots.acquire(request.prompt, slotId, (slot) => {
      res.off('close', onClose);
      this.#started += 1;
      this.#run(res, completion, generation, slot, fault);
    });
    if (completion.answersAtOnce === true && !res.headersSent) {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
    }
  }

  /**
   * Answers whole, as with an embedding, from a slot and after `computeMs`. A fault that stops a stream
   * stops it as well, and keeps the slot until the client leaves; one that breaks a stream breaks the answer
   * in its middle.
   * @throws SimHttpError
   */
  protected compute({ req, res, text }: SimCall, answer: object): void {
    const fault = this.#takeFault(req, text);
    if (fault?.kind === 'http') throw this.#refused(fault);
    let leave = (): void => {
      withdraw();
      this.#canceled += 1;
    };
    res.once('close', () => leave());
    const withdraw = this.slots.acquire('', -1, (slot) => {
      this.#started += 1;
      const over = (finished: boolean): void => {
        leave = () => undefined;
        clearTimeout(timer);
        this.#release(slot, finished);
      };
      leave = () => over(false);
      const reply = (): void => {
        over(fault === undefined || fault.kind === 'slow-first');
        this.#reply(res, answer, fault);
      };
      const isStuck = fault?.kind === 'hang' || fault?.kind === 'stall';
      const extraMs = fault?.kind === 'slow-first' ? fault.ms : 0;
      const timer = isStuck ? undefined : setTimeout(reply, this.options.computeMs + extraMs);
    });
  }

  #refused({ status, type, message, headers }: HttpFault): SimHttpError {
    const refusal = this.refusal(status, type, message);
    Object.assign(refusal.headers, headers);
    return refusal;
  }

  #reply(res: ServerResponse, answer: object, fault: SimFault | undefined): void {
    if (fault === undefined || fault.kind === 'slow-first') return sendJson(res, answer);
    if (fault.kind === 'exit') return this.#exit(fault.code ?? 1);
    const text = JSON.stringify(answer);
    const half = text.slice(0, text.length / 2);
    if (fault.kind !== 'cut') return void res.end(half);
    res.setHeader('content-length', Buffer.byteLength(text));
    res.write(half, () => res.destroy());
  }

  #run(
    res: ServerResponse,
    completion: SimCompletion,
    generation: Generation,
    slot: SimSlot,
    fault: SimFault | undefined,
  ): void {
    const framing = completion.begin(generation, slot);
    const { prompt } = completion.request;
    slot.heldText = prompt;
    slot.heldTokens = generation.promptTokens;
    slot.decoded = 0;
    slot.remaining = generation.count;
    if (completion.whole !== undefined) {
      this.#answerWhole(res, completion.whole, generation, slot);
      return;
    }
    let text = '';
    const stream = new TokenStream(res, generation, framing, this.options, fault, {
      onTokens: (tokens, sent) => {
        for (const token of tokens) text += token.text;
        this.tokensSent += tokens.length;
        slot.decoded = sent;
        slot.remaining = generation.count - sent;
        slot.heldTokens = generation.promptTokens + sent;
      },
      onBlocked: (change) => (this.#blocked += change),
      onExit: (code) => this.#exit(code),
      onOver: (finished) => {
        slot.heldText = prompt + text;
        this.#streams.delete(stream);
        this.#release(slot, finished);
      },
    });
    this.#streams.add(stream);
    stream.start();
  }

  #answerWhole(
    res: ServerResponse,
    send: NonNullable<SimCompletion['whole']>,
    generation: Generation,
    slot: SimSlot,
  ): void {
    let over = false;
    const end = (finished: boolean) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      this.#release(slot, finished);
    };
    const timer = setTimeout(() => {
      let text = '';
      for (let i = 0; i < generation.count; i++) text += generation.next().text;
      this.tokensSent += generation.count;
      slot.heldText += text;
      slot.heldTokens = generation.promptTokens + generation.count;
      send(generation, slot, text);
      end(true);
    }, this.options.tokenDelayMs * generation.count);
    res.once('close', () => end(false));
  }

  #release(slot: SimSlot, finished: boolean): void {
    if (finished) this.#finished += 1;
    else this.#canceled += 1;
    if (!this.#closing) this.slots.release(slot);
  }

  async #open(): Promise<void> {
    this.#server.listen(this.#port, this.options.host);
    await once(this.#server, 'listening');
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const url = new URL(req.url ?? '/', 'http://localhost');
      const route = `${req.method} ${url.pathname}`;
      const call = { route, query: url.searchParams, text: await readText(req), req, res };
      if (route.includes(' /__sim/')) {
        await this.#control(call);
        return;
      }
      const loading = this.#loading ? this.loading() : undefined;
      if (loading !== undefined) throw loading;
      this.route(call);
    } catch (error) {
      const answer =
        error instanceof SimHttpError
          ? error
          : new SimHttpError(500, `in the simulator: ${String(error)}`);
      answer.send(res);
    }
  }

  #takeFault(req: IncomingMessage, text: string): SimFault | undefined {
    const fault = this.#faultOf(req, text);
    if (fault !== undefined) this.options.onFault?.(fault, text);
    return fault;
  }

  #faultOf(req: IncomingMessage, text: string): SimFault | undefined {
    const header = req.headers['x-sim-fault'];
    if (typeof header === 'string') return readFault(header);
    const { poison, fault } = this.options;
    if (poison !== undefined && text.includes(poison)) {
      return { kind: 'exit', after_tokens: 0, code: 134 };
    }
    return this.#faults.shift() ?? fault ?? this.#draw.next();
  }

  #exit(code: number): void {
    if (this.options.onExit !== undefined) this.options.onExit(code);
    else void this.close();
  }

  async #control({ route, text, res }: SimCall): Promise<void> {
    switch (route) {
      case 'POST /__sim/fault':
        this.addFault(readFault(text), Number(parseObject(text)?.['times'] ?? 1));
        return sendJson(res, {});
      case 'POST /__sim/loading':
        sendJson(res, {});
        await this.setLoading(parseObject(text)?.['loading'] === true);
        return;
      case 'GET /__sim/stats':
        return sendJson(res, this.stats);
      default:
        throw new SimHttpError(404, 'no such route of the simulator');
    }
  }
}

function readFault(text: string): SimFault {
  try {
    return parseFault(parseObject(text));
  } catch (error) {
    throw new SimHttpError(400, String(error));
  }
}
