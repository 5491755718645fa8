/**
 * What an engine died of, as far as its exit and its last lines tell (ORCH-3038, ORCH-3039). Only the
 * class leaves here, never a line: the lines of an engine that served may quote a prompt.
 *
 * The messages are those of llama.cpp (`ggml-cuda.cu`, `llama-kv-cache.cpp`, `server.cpp`), of PyTorch and
 * vLLM, and of the NVIDIA driver.
 */
import { describeExit } from './spawn-engine.ts';
import type { EngineExit } from './spawn-engine.ts';

export type FailureClass = 'vram-oom' | 'host-oom' | 'driver' | 'model' | 'port';

export interface DeathScene {
  readonly exit: EngineExit;
  /** The last lines of its output, the newest last. */
  readonly lines: readonly string[];
  /** The pool computes on GPUs. */
  readonly onGpu: boolean;
  /** The system killed some process for want of memory while it ran. */
  readonly systemWasOutOfMemory: boolean;
}

const IN_WORDS: Readonly<Record<FailureClass, string>> = {
  'vram-oom': 'out of GPU memory',
  'host-oom': 'out of host memory',
  driver: 'GPU driver error',
  model: 'the model cannot be loaded',
  port: 'its port is in use',
};

const VRAM_OOM =
  /cuda out of memory|cudamalloc failed|(?:cuda|hip|rocm|vulkan) error:? out of memory|cudaerrormemoryallocation|outofdevicememory|no available memory for the cache blocks|larger than the available kv cache memory/i;
const NO_BUFFER = /failed to allocate .*(?:buffer|kv cache)|unable to allocate .*buffer/i;
const HOST_OOM =
  /std::bad_alloc|cannot allocate memory|\bmemoryerror\b|javascript heap out of memory/i;
const DRIVER =
  /cuda error|hip error|device-side assert|\bxid\b|illegal memory access|uncorrectable ecc|cuda driver (?:error|version)|no cuda-capable device|cudaerror|gpu has fallen off the bus/i;
const PORT = /address already in use|eaddrinuse|couldn't bind|failed to bind/i;
const MODEL =
  /(?:failed|unable) to load (?:the )?model|error loading model|model loading error|invalid magic|not a gguf|(?:model|gguf).*(?:no such file|not found|does not exist)|no such file.*(?:model|gguf)/i;

/** Undefined when nothing points to one of the classes. */
export function classifyExit(scene: DeathScene): FailureClass | undefined {
  const { exit, lines, onGpu, systemWasOutOfMemory } = scene;
  const says = (pattern: RegExp): boolean => lines.some((line) => pattern.test(line));
  if (says(VRAM_OOM)) return 'vram-oom';
  const buffer = lines.find((line) => NO_BUFFER.test(line));
  // llama.cpp names the back end whose buffer it is, such as CUDA0 or CPU.
  if (buffer !== undefined)
    return onGpu && !/\bcpu\b|_cpu_/i.test(buffer) ? 'vram-oom' : 'host-oom';
  if (says(DRIVER)) return 'driver';
  const wasKilled = exit.signal === 'SIGKILL' || exit.code === 137;
  if ((wasKilled && systemWasOutOfMemory) || says(HOST_OOM)) return 'host-oom';
  if (says(PORT)) return 'port';
  return says(MODEL) ? 'model' : undefined;
}

/**
 * Whether the engine failed by itself: it ended on a signal of its own, with a failure of its own or of its
 * device. Not when it was killed from outside, or by the system for want of memory.
 */
export function hasCrashed(
  { code, signal }: EngineExit,
  failure: FailureClass | undefined,
): boolean {
  if (failure === 'driver' || failure === 'vram-oom') return true;
  if (failure !== undefined) return false;
  if (signal !== null) return !FROM_OUTSIDE.has(signal);
  return code !== null && code !== 0 && !CODES_FROM_OUTSIDE.has(code);
}

const FROM_OUTSIDE: ReadonlySet<string> = new Set([
  'SIGKILL',
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
]);
/** A shell's word for the same: 128 and the number of the signal. */
const CODES_FROM_OUTSIDE: ReadonlySet<number> = new Set([129, 130, 131, 137, 143]);

/**
 * For messages to operators.
 * @param lastLine of the output, or '' when it must not be quoted
 */
export function describeDeath(
  exit: EngineExit,
  failure: FailureClass | undefined,
  lastLine: string,
): string {
  const cause = failure === undefined ? '' : ` (${IN_WORDS[failure]})`;
  const quote = lastLine === '' ? '' : `: ${lastLine}`;
  return `the engine ${describeExit(exit)}${cause}${quote}`;
}

/** A line of an engine that still runs which says that its device does not work any more. */
export function isDriverError(line: string): boolean {
  return DRIVER.test(line) && !VRAM_OOM.test(line);
}
