/** More connections than the daemon may have files open: idle ones, half-sent requests, some that come back. */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Task, TaskRequest } from '@llama-orch/contracts';
import { createRandom } from '../../sim/seeded-random.ts';
import type { DaemonProcess } from '../../src/daemon-process.ts';
import { waitFor } from '../../src/wait-for.ts';
import { ChaosClient } from '../chaos-client.ts';
import { loadOf, openStage, pause, roundsOf, SLOTS } from '../stage.ts';
import { openFilesOf } from '../process-figures.ts';
import { observationOf } from '../rest.ts';
import type { Scenario } from '../scenario.ts';
import { runUnderLoad, type Findings } from '../under-load.ts';
import { onlyResets } from '../verdict.ts';

const FLOODS = { least: 2, most: 20 };
const OPEN_FILES = 256;
/** Of a flood: twice what the daemon can have, and less than the 511 that its backlog holds. */
const CONNECTIONS = 500;
/** Answers over connections that are there, by when the daemon has taken what its backlog held. */
const ANSWERS = 5;
const LONG_OUTPUT = 400;

const HALVES = [
  '',
  'POST /v1/tasks HT',
  'GET /v1/tasks HTTP/1.1\r\nHost: here\r\nX-Slow: ',
  'POST /v1/tasks HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"prompt":',
] as const;

export const sockets: Scenario = {
  name: 'sockets',
  about:
    'floods the daemon with idle and half-sent requests, beyond its limit of open files (Linux)',
  tasks: { short: 80, long: 4_000 },
  async run({ seed, tasks, onEvent }) {
    await using stage = await openStage({
      daemon: { openFilesLimit: OPEN_FILES },
      config: { server: { header_timeout_ms: 2_000, idle_timeout_ms: 2_000 } },
    });
    const { daemon } = stage;
    const random = createRandom(seed, -1);
    return await runUnderLoad({
      daemon,
      load: loadOf(seed, tasks),
      allowed: onlyResets,
      prelude: (findings) => reachEngines(daemon, findings),
      disturb: async (load, { violations, observations, figures }) => {
        const { rounds, every } = roundsOf(tasks, FLOODS);
        let mostFiles = 0;
        let answered = 0;
        for (let round = 1; round <= rounds; round += 1) {
          await load.untilMidStream(4);
          const prompt = `Before flood ${round}.`;
          const before = new ChaosClient(daemon.client, taskOf(prompt));
          await before.post();
          const begun = Promise.withResolvers<void>();
          const reading = before.follow(async (stream) => {
            await stream.until('tokens', () => stream.tokens.length > 0);
            begun.resolve();
          });
          await begun.promise;
          const flood = await openFlood(daemon.url, (n) => HALVES[n % HALVES.length] ?? '');
          mostFiles = Math.max(mostFiles, openFilesOf(daemon.pid) ?? 0);
          onEvent?.(`round ${round}: ${flood.length} connections, ${mostFiles} files open`);
          // Who was there before is served on to the end, over the connection it has.
          await reading;
          if (!before.isOver)
            violations.push(`flood ${round} broke a stream that was there before`);
          await pause(random, 500);
          answered += flood.filter(({ bytesRead }) => bytesRead > 0).length;
          for (const socket of flood) socket.destroy();
          await waitFor('the daemon to answer', () => isAlive(daemon.url), 30_000);
          observations.push(await observationOf(daemon, before, prompt, LONG_OUTPUT));
          await load.untilDone(every);
        }
        figures.push(
          ['floods', rounds],
          ['connections each', CONNECTIONS],
          ['  answered, as too slow', answered],
          ['files open at most', `${mostFiles} of ${OPEN_FILES}`],
        );
      },
    });
  },
};

/**
 * Tasks whose clients are connected already, and that need connections to the engine which are not there yet:
 * what the flood takes of the files that may be open must not be what those need (OC-CTRL-2094).
 */
async function reachEngines(daemon: DaemonProcess, { observations }: Findings): Promise<void> {
  using kept = new KeptConnections(daemon.url);
  const prompts = Array.from({ length: SLOTS }, (_, n) => `Behind the flood, ${n}.`);
  await Promise.all(prompts.map(() => kept.call('GET', '/healthz')));
  const flood = await openFlood(daemon.url, () => '');
  for (let n = 0; n < ANSWERS; n += 1) await kept.call('GET', '/healthz');
  const clients = prompts.map((prompt) => new ChaosClient(daemon.client, taskOf(prompt)));
  await Promise.all(
    clients.map(async (client) => {
      const { status } = await kept.call('POST', '/v1/tasks', client.task);
      if (status === 202) client.admission = 'accepted';
    }),
  );
  for (const { task } of clients) {
    await waitFor('the end of a task', async () => {
      const { body } = await kept.call('GET', `/v1/tasks/${task.task_id}`);
      return !['queued', 'running'].includes((body as Task).state);
    });
  }
  for (const socket of flood) socket.destroy();
  await waitFor('the daemon to answer', () => isAlive(daemon.url), 30_000);
  for (const [n, client] of clients.entries()) {
    await client.follow();
    observations.push(await observationOf(daemon, client, prompts[n] ?? '', LONG_OUTPUT));
  }
}

/** Requests over connections that stay, each used again before another one is made. */
class KeptConnections implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: SLOTS });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async call(method: string, path: string, body?: unknown): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const sent = request(`${this.#url}${path}`, { agent: this.#agent, method, headers });
      sent.on('error', reject).on('response', (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown });
        });
      });
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

function taskOf(prompt: string): TaskRequest {
  return { prompt, prompt_format: 'raw', seed: 1, max_tokens: LONG_OUTPUT };
}

/** Connects as often as the system lets it. Connections that are refused or dropped are part of it. */
async function openFlood(url: string, bytes: (n: number) => string): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(url);
  return Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, n) => {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
      socket.write(bytes(n));
      return socket.resume();
    }),
  );
}

async function isAlive(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { headers: { connection: 'close' } })).ok;
  } catch {
    return false;
  }
}
