/**
 * One life of a replica: an open adapter and, where we started it, the engine process behind it.
 * Everything that waits on the engine does so under the life's signal and ends with it.
 */
import type { OpenAdapter, WorkerAdapter } from '@llama-orch/worker-adapters';
import { childEnvironment } from './child-environment.ts';
import { embeddedCommand, fillCommand } from './command-line.ts';
import { withDeadline } from './deadline.ts';
import { pickFreePort } from './free-port.ts';
import type { PoolSettings } from './pool-config.ts';
import type { Clock } from './ports.ts';
import type { EngineExit, EngineProcess, EngineSpec, SpawnEngine } from './spawn-engine.ts';
import { terminate } from './terminate.ts';

export interface LifeDeps {
  readonly pool: PoolSettings;
  /** Set for `launch: external`. */
  readonly endpoint: string | undefined;
  readonly openAdapter: OpenAdapter;
  readonly spawn: SpawnEngine;
  readonly embeddedEntry: string;
  readonly clock: Clock;
  readonly onExit: (exit: EngineExit, lastLines: readonly string[]) => void;
  /** Of a process that we started. */
  readonly onLine: (line: string) => void;
}

/** Beyond the slots: a probe and a self-test may run while all of them are busy. */
const SPARE_STREAMS = 2;
/** Closing connections needs no answer from the engine; one that hangs must not hold up its replacement. */
const CLOSE_MS = 1000;

export class ReplicaLife {
  readonly #deps: LifeDeps;
  readonly #abort = new AbortController();
  #engine: EngineProcess | undefined;
  #adapter: WorkerAdapter | undefined;

  constructor(deps: LifeDeps) {
    this.#deps = deps;
  }

  /** Aborts when the life is over. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get over(): boolean {
    return this.#abort.signal.aborted;
  }

  get pid(): number | undefined {
    return this.#engine?.pid;
  }

  /** Undefined until `begin` has resolved. */
  get adapter(): WorkerAdapter | undefined {
    return this.#adapter;
  }

  /**
   * Spawns the engine, or just connects to an endpoint.
   * @throws Error when the process does not come up or does not name its address within `loadMs`
   */
  async begin(): Promise<void> {
    const { pool, endpoint, openAdapter } = this.#deps;
    const url = endpoint ?? (await this.#spawn());
    this.signal.throwIfAborted();
    this.#adapter = openAdapter({
      url: url.replace(/\/$/, ''),
      timeouts: {
        connectMs: pool.connectMs,
        controlMs: pool.controlMs,
        headersMs: pool.headersMs,
        bodyMs: pool.bodyMs,
      },
      // Twice: while aborted streams close, their slots may have been given to the next tasks.
      maxStreams: 2 * pool.slots + SPARE_STREAMS,
      model: pool.servedName ?? pool.modelId,
      apiKey: pool.apiKey,
      chatTemplate: pool.chatTemplate,
      textOutput: pool.textOutput,
      metricsUrl: pool.metricsUrl,
    });
  }

  /** Closes the connections and stops the process. Never throws; bounded by the grace and a few seconds. */
  async end(graceMs: number): Promise<void> {
    this.#abort.abort(new Error('the replica was discarded'));
    // Both at once: llama-server finishes its shutdown only when its clients have disconnected.
    await Promise.all([
      this.#closeAdapter(),
      this.#engine === undefined ? undefined : terminate(this.#engine, graceMs, this.#deps.clock),
    ]);
  }

  async #closeAdapter(): Promise<void> {
    const adapter = this.#adapter;
    if (adapter === undefined) return;
    const { clock } = this.#deps;
    const close = async (): Promise<void> => {
      await adapter[Symbol.asyncDispose]();
    };
    await withDeadline(clock, CLOSE_MS, undefined, close).catch(() => undefined);
  }

  async #spawn(): Promise<string> {
    const { pool, spawn, clock, onExit } = this.#deps;
    const port = pool.launch === 'process' ? await pickFreePort(pool.host) : 0;
    this.signal.throwIfAborted();
    const engine = spawn(this.#spec(port));
    this.#engine = engine;
    void engine.exited.then((exit) => {
      if (!this.over) onExit(exit, engine.lastLines());
    });
    if (pool.launch === 'process') return `http://${pool.host}:${port}`;
    return withDeadline(clock, pool.loadMs, this.signal, () => engine.listening);
  }

  #spec(port: number): EngineSpec {
    const { pool, embeddedEntry } = this.#deps;
    const embedded = pool.launch === 'embedded';
    return {
      command: embedded
        ? embeddedCommand(pool, process.execPath, embeddedEntry)
        : fillCommand(pool, port),
      env: childEnvironment(pool.device, pool.env, process.env),
      holdStdin: embedded,
      onLine: (line) => {
        if (!this.over) this.#deps.onLine(line);
      },
    };
  }
}
