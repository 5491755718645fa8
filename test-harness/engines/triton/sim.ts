import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EngineSim } from '../kit/engine-sim.ts';
import type { SimCall } from '../kit/engine-sim.ts';
import { parseObject, sendJson, sendText } from '../kit/http-answers.ts';
import type { SimHttpError } from '../kit/http-answers.ts';
import { DEFAULT_SIM_OPTIONS } from '../kit/sim-options.ts';
import type { SimOptions } from '../kit/sim-options.ts';
import { metricsAnswer } from './metrics-answer.ts';
import { configAnswer, metadataAnswer, MODEL } from './models.ts';
import type { Backend } from './models.ts';
import { parseGenerate } from './parse-request.ts';
import { FirstResponseError, notLoaded, refusal, tooLong, unknownModel } from './refusals.ts';
import { Responses } from './responses.ts';

export interface TritonOptions extends SimOptions {
  readonly backend: Backend;
  /** `--metrics-port`; 0 picks a free one. */
  readonly metricsPort: number;
  /** Extra keys of the model's configuration. */
  readonly extraConfig: object;
}

const EXTENSIONS = ['model_repository', 'model_configuration', 'generate', 'statistics'];

/** A running simulator; see README.md for what it reproduces. */
export class TritonSim extends EngineSim<TritonOptions> {
  #metrics: Server | undefined;
  #metricsPort: number;
  /** The model was not unloaded over the API. */
  #isLoaded = true;

  constructor(options: TritonOptions) {
    super(options);
    this.#metricsPort = options.metricsPort;
  }

  get metricsUrl(): string {
    return `http://${this.options.host}:${this.#metricsPort}/metrics`;
  }

  override async listen(): Promise<void> {
    await this.#openMetrics();
    await super.listen();
  }

  override async setLoading(loading: boolean): Promise<void> {
    await super.setLoading(loading);
    if (!loading && this.#metrics === undefined) await this.#openMetrics();
  }

  override async close(): Promise<void> {
    await super.close();
    const server = this.#metrics;
    this.#metrics = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  override async drain(): Promise<void> {
    await super.drain();
    await this.close();
  }

  protected override loading(): undefined {
    return undefined;
  }

  /** A failure of the backend is its first response; what the front end refuses is no event. */
  protected override refusal(status: number, _type?: string, message?: string): SimHttpError {
    const text = message ?? 'simulated';
    return status === 500 ? new FirstResponseError(status, text) : refusal(status, text);
  }

  protected override tooLong(promptTokens: number): SimHttpError {
    return tooLong(this.options.backend, promptTokens, this.options.ctx);
  }

  /** A model with `max_queue_size`. */
  protected override overloaded(): SimHttpError {
    return refusal(503, 'Exceeds maximum queue size');
  }

  protected override route(call: SimCall): void {
    const { route, res } = call;
    switch (route) {
      case 'GET /v2/health/live':
      case 'GET /v2/health/ready':
        res.end();
        return;
      case 'GET /v2':
        return sendJson(res, { name: 'triton', version: '2.73.0', extensions: EXTENSIONS });
      case 'POST /v2/repository/index':
        return sendJson(res, this.#index());
      default:
        return this.#repository(call);
    }
  }

  #repository(call: SimCall): void {
    const { route, res } = call;
    const control = /^POST \/v2\/repository\/models\/([^/]+)\/(load|unload)$/.exec(route);
    if (control !== null) {
      if (control[1] !== MODEL) throw refusal(400, `failed to load '${control[1]}'`);
      this.#isLoaded = control[2] === 'load';
      res.end();
      return;
    }
    const found = /^(GET|POST) \/v2\/models\/([^/]+)(?:\/versions\/1)?(\/\w+)?$/.exec(route);
    if (found === null) throw refusal(404, 'Not Found');
    const [, method = '', model = '', action = ''] = found;
    if (`${method} ${action}` === 'GET /ready') {
      if (model === MODEL && this.#isLoaded) return void res.end();
      throw refusal(400, 'Model version not ready');
    }
    if (model !== MODEL) throw unknownModel(model);
    if (!this.#isLoaded) throw notLoaded();
    this.#model(call, `${method} ${action}`);
  }

  #model(call: SimCall, action: string): void {
    const { backend, extraConfig } = this.options;
    switch (action) {
      case 'GET ':
        return sendJson(call.res, metadataAnswer(backend));
      case 'GET /config':
        return sendJson(call.res, configAnswer(backend, extraConfig));
      case 'POST /generate_stream':
        return this.#generate(call, 'text/event-stream; charset=utf-8');
      case 'POST /generate':
        return this.#generate(call, 'application/json');
      default:
        throw refusal(405, 'Method Not Allowed');
    }
  }

  #generate(call: SimCall, contentType: string): void {
    const { backend } = this.options;
    const asked = parseGenerate(backend, call.text);
    const isStream = asked.stream && contentType !== 'application/json';
    let responses: Responses | undefined;
    this.complete(call, parseObject(call.text) ?? {}, {
      // vLLM removes a stop string itself; who takes one back is told in `Responses`. TensorRT-LLM looks
      // for its tokens.
      request: {
        ...asked,
        keepsStop: backend !== 'vllm' && isStream,
        stopsAfterToken: backend === 'trtllm',
      },
      begin: (generation) => {
        responses = new Responses(backend, asked, generation);
        return responses.framing();
      },
      ...(isStream
        ? {}
        : {
            whole: (_generation, _slot, text) => {
              const response = responses?.whole(text) ?? '';
              call.res.setHeader('content-type', contentType);
              call.res.end(contentType === 'application/json' ? response : `data: ${response}\n\n`);
            },
          }),
    });
  }

  #index(): object {
    const state = this.#isLoaded ? 'READY' : 'UNAVAILABLE';
    return [{ name: MODEL, version: '1', state, reason: this.#isLoaded ? '' : 'unloaded' }];
  }

  async #openMetrics(): Promise<void> {
    const server = createServer((req, res) => {
      if (req.url !== '/metrics') res.writeHead(404).end();
      else sendText(res, metricsAnswer(this.options.backend, this.slots, this.stats.finished));
    });
    server.listen(this.#metricsPort, this.options.host);
    await once(server, 'listening');
    this.#metrics = server;
    this.#metricsPort = (server.address() as AddressInfo).port;
  }
}

/** Starts a simulated Triton server with one model. */
export async function startTritonSim(options: Partial<TritonOptions> = {}): Promise<TritonSim> {
  const sim = new TritonSim({
    ...DEFAULT_SIM_OPTIONS,
    backend: 'trtllm',
    metricsPort: 0,
    extraConfig: {},
    ...options,
  });
  await sim.listen();
  return sim;
}
