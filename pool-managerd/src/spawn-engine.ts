/**
 * Starts an engine process and watches it. Its output is always read, so it never blocks on a full
 * pipe, and only the last lines are kept.
 */
import { spawn } from 'node:child_process';
import { yieldToDaemon } from './engine-priority.ts';
import { LineRing } from './line-ring.ts';
import { killGroup } from './pid-file.ts';
import type { Clock } from './ports.ts';

export interface EngineSpec {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Give it a stdin that ends with us; otherwise it has none. */
  readonly holdStdin: boolean;
  /** Told every line that it prints, cut to a bounded length. */
  readonly onLine?: ((line: string) => void) | undefined;
}

export interface EngineExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The program could not be started at all. */
  readonly spawnError: string | undefined;
}

export interface EngineProcess {
  readonly pid: number | undefined;
  /** Resolves once, when the process has ended; never rejects. */
  readonly exited: Promise<EngineExit>;
  /** The address from the first `listening on http://…` line; pending for ever without one. */
  readonly listening: Promise<string>;
  /**
   * The last lines of output, the newest last. Shown only for engines that never became ready: later
   * ones may quote a prompt.
   */
  lastLines(): readonly string[];
  /** Signals the whole process group. */
  kill(signal: NodeJS.Signals): void;
}

export type SpawnEngine = (spec: EngineSpec) => EngineProcess;

/** Told of every process group that comes and goes. */
export interface ChildRegistry {
  readonly environment: Readonly<Record<string, string>>;
  beforeSpawn(): void;
  add(pid: number): void;
  remove(pid: number): void;
}

const RING_LINES = 20;
const RING_CHARS = 400;
const LISTENING = /listening on (https?:\/\/\S+)/;
/** After the exit the pipes may hold the line that says why; a grandchild may hold them open for ever. */
const OUTPUT_GRACE_MS = 200;

export function createSpawnEngine(registry: ChildRegistry, clock: Clock): SpawnEngine {
  return ({ command: [program = '', ...args], env, holdStdin, onLine }) => {
    registry.beforeSpawn();
    const child = spawn(program, args, {
      env: { ...env, ...registry.environment },
      // Leader of its own group: signals reach its children too, and a terminal's Ctrl-C does not reach it.
      detached: true,
      stdio: [holdStdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    const { pid } = child;
    if (pid !== undefined) registry.add(pid);
    const stopYielding = pid === undefined ? undefined : yieldToDaemon(pid, clock);
    child.stdin?.on('error', () => undefined);

    const ring = new LineRing(RING_LINES, RING_CHARS);
    const listening = Promise.withResolvers<string>();
    for (const output of [child.stdout, child.stderr]) {
      output?.setEncoding('utf8').on('data', (piece: string) => {
        for (const line of ring.push(piece)) {
          const url = LISTENING.exec(line)?.[1];
          if (url !== undefined) listening.resolve(url.replace(/\/$/, ''));
          onLine?.(line);
        }
      });
    }

    const exited = new Promise<EngineExit>((resolve) => {
      child.once('error', (error) => {
        if (pid === undefined) resolve({ code: null, signal: null, spawnError: error.message });
      });
      child.once('exit', (code, signal) => {
        if (pid !== undefined) {
          stopYielding?.();
          // The leader is gone; whatever it started must not outlive it.
          killGroup(pid);
          registry.remove(pid);
        }
        const settle = (): void => resolve({ code, signal, spawnError: undefined });
        const cancelTimer = clock.setTimer(OUTPUT_GRACE_MS, settle);
        child.once('close', () => {
          cancelTimer();
          settle();
        });
      });
    });
    return {
      pid,
      exited,
      listening: listening.promise,
      lastLines: () => ring.lines(),
      kill: (signal) => {
        if (pid !== undefined && child.exitCode === null && child.signalCode === null)
          killGroup(pid, signal);
      },
    };
  };
}

/** `exited with code 1`, `was killed by SIGSEGV`, … */
export function describeExit({ code, signal, spawnError }: EngineExit): string {
  if (spawnError !== undefined) return `could not be started: ${spawnError}`;
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
}
