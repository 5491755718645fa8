/** The same generation asked for in two ways: of the engine itself, and of the daemon before it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from './bench.ts';
import { Connection, encodeRequest, type StreamAnswer } from './connection.ts';
import { startDaemon, type Daemon } from './daemon.ts';
import { externalPool } from './engines.ts';
import { startProgram, type Program } from './program.ts';
import { startRecordingRelay } from './recording-relay.ts';

/** A request, and what tells a token from the rest of the answer. */
export interface Way {
  readonly name: 'direct' | 'daemon' | 'relay';
  readonly url: string;
  readonly request: Buffer;
  /** Stands in every event that carries a token, and in no other. */
  readonly marker: string;
}

export interface TwoWays extends AsyncDisposable {
  readonly direct: Way;
  readonly through: Way;
  readonly daemon: Daemon;
  /** The body that the daemon asks the engine with. */
  readonly completion: string;
}

const SEED = 7;
const BARE_RELAY = fileURLToPath(new URL('bare-relay-server.ts', import.meta.url));

/** Starts a daemon before the engine and learns how it asks it. */
export async function openTwoWays(
  context: BenchContext,
  engineUrl: string,
  tokens: number,
  pool: Readonly<Record<string, unknown>>,
): Promise<TwoWays> {
  const task = { prompt: 'Write a haiku about rain.', max_tokens: tokens, seed: SEED };
  await using relay = await startRecordingRelay(engineUrl);
  const daemon = await startDaemon(context, [
    externalPool('main', engineUrl, pool),
    externalPool('recorded', relay.url, pool),
  ]);
  try {
    await daemon.untilReady('main');
    await daemon.untilReady('recorded');
    const through = wayThroughDaemon(daemon.url, task);
    await runStream(wayThroughDaemon(daemon.url, { ...task, model_ref: 'recorded' }));
    const completion = relay.lastCompletion();
    return {
      daemon,
      through,
      completion,
      direct: {
        name: 'direct',
        url: engineUrl,
        request: encodeRequest({
          method: 'POST',
          path: '/completion',
          body: completion,
        }),
        marker: '"stop":false',
      },
      [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
    };
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}

/** The same generation through a process that does nothing but relay it. */
export async function startBareRelay(
  context: BenchContext,
  engineUrl: string,
  completion: string,
): Promise<Program & { readonly way: Way }> {
  const dir = context.newDir('bare-relay');
  const file = join(dir, 'completion.json');
  writeFileSync(file, completion);
  const program = await startProgram({
    name: 'the bare relay',
    args: [BARE_RELAY, engineUrl, file],
    cwd: dir,
    logFile: join(dir, 'bare-relay.log'),
  });
  const way: Way = { ...wayThroughDaemon(program.url, {}), name: 'relay' };
  return { ...program, way };
}

function wayThroughDaemon(url: string, task: object): Way {
  return {
    name: 'daemon',
    url,
    request: encodeRequest({
      method: 'POST',
      path: '/v1/tasks',
      body: JSON.stringify(task),
      accept: 'text/event-stream',
    }),
    marker: 'event: token',
  };
}

async function runStream(way: Way): Promise<StreamAnswer> {
  const connection = await Connection.open(way.url);
  try {
    return checked(await connection.stream(way.request, way.marker, true));
  } finally {
    connection.close();
  }
}

/** The tokens an answer says it has. @throws Error when it did not end well */
export function tokensOf(answer: StreamAnswer): number {
  // The daemon's `end` event and the engine's last object say it in these words.
  const tokens = /"(?:tokens_out|tokens_predicted)":(\d+)/g;
  const counts = [...checked(answer).tail.matchAll(tokens)];
  return Number(counts.at(-1)?.[1]);
}

function checked(answer: StreamAnswer): StreamAnswer {
  const isWhole = /"(?:finish_reason|stop_type)":"(?:stop|length|eos|limit)"/.test(answer.tail);
  if (answer.status === 200 && isWhole) return answer;
  throw new Error(`a stream ended badly (${answer.status}): ${answer.tail.slice(-500)}`);
}
