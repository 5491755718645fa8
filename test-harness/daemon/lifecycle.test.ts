/** Start, stop, and starts that must fail. */
import { mkdtempSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runDaemon, startDaemon, untilGone } from '../src/daemon-process.ts';
import { taskIdOf, type EventStream } from '../src/event-stream.ts';
import { descendantsOf } from '../src/process-table.ts';
import { checkWholeStream } from '../src/stream-check.ts';
import {
  embeddedPool,
  externalPool,
  PROJECT_ROOT,
  simulatorPool,
  writeConfig,
} from '../src/temp-config.ts';
import { waitFor } from '../src/wait-for.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'llama-orch-starts-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('OC-CTRL-2073 the run file', () => {
  test('names url and pid while the daemon runs, and is gone after a clean stop', async () => {
    await using daemon = await startDaemon({ config: { pools: [simulatorPool([])] } });
    const path = join(daemon.dataDir, 'orchestratord.json');
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ url: daemon.url, pid: daemon.pid });
    const exit = await daemon.terminate();
    expect(exit.code, exit.stderr).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});

test('a clean stop exits with 0, every time', async () => {
  const exits = await Promise.all(
    Array.from({ length: 6 }, async () => {
      await using daemon = await startDaemon({
        config: { pools: [externalPool(['http://127.0.0.1:9'])] },
      });
      return await daemon.terminate();
    }),
  );
  for (const exit of exits) expect(exit.code, exit.stderr).toBe(0);
});

describe('OC-CTRL-2071 SIGTERM under load', () => {
  test('running streams finish, new tasks get 503, exit is 0, and the next start runs what waited', async () => {
    await using daemon = await startDaemon({
      config: {
        server: { shutdown_grace_ms: 20_000 },
        pools: [simulatorPool(['--tokens', '300', '--token-delay-ms', '5'])],
      },
    });
    await daemon.client.untilReady(2);
    const children = daemon.children();
    // One after the other: the first two take the slots.
    const streams: EventStream[] = [];
    for (let n = 0; n < 8; n += 1) {
      streams.push(await daemon.client.postStream({ prompt: `load ${n}`, seed: n }));
    }
    const running = streams.slice(0, 2);
    const waiting = streams.slice(2);
    await Promise.all(running.map((each) => each.until('tokens', () => each.tokens.length > 5)));
    daemon.signal('SIGTERM');

    const refused = await waitFor('the refusal of new tasks', async () => {
      const answer = await daemon.client.call('createTask', { body: { prompt: 'late' } });
      return answer.status !== 202 && answer;
    });
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'POOL_UNREADY', retriable: true });
    expect((await daemon.client.call('getLiveness')).status).toBe(200);
    // What is accepted can still be followed and looked up.
    const reader = await daemon.client.stream(taskIdOf(running[0] ?? streams[0]!));
    for (const stream of [...running, reader]) {
      expect((await stream.toEnd()).event).toBe('end');
      checkWholeStream(stream.events);
    }
    const exit = await daemon.untilExit();
    expect(exit).toMatchObject({ code: 0, signal: null });
    for (const stream of waiting) {
      expect(await stream.ended).not.toBe('left');
      expect(stream.events).toEqual([]);
    }
    await untilGone(children);

    await daemon.restart();
    for (const stream of waiting) {
      const again = await daemon.client.stream(taskIdOf(stream));
      expect((await again.toEnd()).event).toBe('end');
      checkWholeStream(again.events);
    }
    expect((await daemon.client.tasks({ state: 'failed' })).items).toEqual([]);
  }, 60_000);

  test('what does not finish within the grace goes on after the next start, on the same stream', async () => {
    await using daemon = await startDaemon({
      config: {
        server: { shutdown_grace_ms: 200 },
        pools: [simulatorPool(['--tokens', '400', '--token-delay-ms', '4'])],
      },
    });
    await daemon.client.untilReady(2);
    const strict = await daemon.client.postStream({ prompt: 'slow', seed: 1 });
    await strict.until('tokens', () => strict.tokens.length > 20);
    expect((await daemon.terminate()).code).toBe(0);
    expect(await strict.ended).not.toBe('left');
    expect(strict.terminal).toBeUndefined();
    await daemon.restart();
    const rest = await daemon.client.stream(taskIdOf(strict), strict.lastId);
    await rest.toEnd();
    checkWholeStream([...strict.events, ...rest.events]);
  }, 60_000);

  test('neither a reader that does not read nor an engine that is stopped holds up the exit', async () => {
    await using daemon = await startDaemon({
      config: {
        server: { shutdown_grace_ms: 300 },
        pools: [
          simulatorPool(['--tokens', '100000', '--tokens-per-write', '64'], { ctx: 200_000 }),
        ],
      },
    });
    await daemon.client.untilReady(2);
    const children = daemon.children();
    const stuck = await daemon.client.postStream({ prompt: 'nobody reads this' });
    await stuck.until('tokens', () => stuck.tokens.length > 0);
    stuck.pause();
    const engine = children.find(({ command }) => command.includes('engines/llamacpp/main.ts'));
    process.kill(engine?.pid ?? 0, 'SIGSTOP');
    const exit = await daemon.terminate(10_000);
    expect(exit.code, exit.stderr).toBe(0);
    await untilGone(children);
  });

  test('stopping `npm start` stops the daemon and its engines', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'llama-orch-'));
    const npm = spawn('npm', ['start', '--', '--port', '0', '--data-dir', directory], {
      cwd: PROJECT_ROOT,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let stdout = '';
    npm.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    try {
      await waitFor('the ready line', () => stdout.includes('llama-orch ready on ') || undefined);
      const started = descendantsOf(npm.pid ?? 0);
      expect(started.length).toBeGreaterThan(0);
      npm.kill('SIGTERM');
      await untilGone(started);
    } finally {
      npm.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('SIGINT stops like SIGTERM, also before the engines are ready', async () => {
    await using daemon = await startDaemon({
      config: { pools: [simulatorPool(['--loading-ms', '20000'])] },
    });
    const children = daemon.children();
    daemon.signal('SIGINT');
    expect((await daemon.untilExit()).code).toBe(0);
    await untilGone(children);
  });
});

describe('a configuration that is wrong: exit 2 and the path at fault', () => {
  const pool = embeddedPool();
  test.each([
    ['an unknown key', { pools: [pool], sever: {} }, '/sever'],
    ['an unknown key of a pool', { pools: [{ ...pool, slotz: 1 }] }, '/pools/0/slotz'],
    ['a port out of range', { pools: [pool], server: { port: 70_000 } }, '/server/port'],
    ['a text for a number', { pools: [{ ...pool, replicas: 'two' }] }, '/pools/0/replicas'],
    ['no pools', { pools: [] }, '/pools'],
    [
      'an unknown policy',
      { pools: [{ ...pool, queue: { full_policy: 'maybe' } }] },
      '/pools/0/queue/full_policy',
    ],
    ['two pools of one id', { pools: [pool, pool] }, '/pools/1/id'],
    [
      'an open address without keys',
      { pools: [pool], server: { host: '0.0.0.0' } },
      '/server/host',
    ],
    [
      'a command without {port}',
      { pools: [{ ...simulatorPool([]), command: ['x'] }] },
      '/pools/0/command',
    ],
    [
      'external without endpoints',
      { pools: [{ ...pool, launch: 'external' }] },
      '/pools/0/endpoints',
    ],
  ])('%s', async (_name, config, path) => {
    const file = writeConfig(directory, config as object);
    const exit = await runDaemon(['--config', file, '--data-dir', join(directory, 'd')]);
    expect(exit.code, exit.stderr).toBe(2);
    expect(exit.stderr).toContain(path);
    expect(exit.stderr).not.toMatch(/\n\s+at /);
    expect(exit.stdout).toBe('');
  });

  test('a file that is not YAML', async () => {
    const file = join(directory, 'broken.yaml');
    writeFileSync(file, 'pools: [\n  - id: x\n');
    const exit = await runDaemon(['--config', file]);
    expect(exit.code).toBe(2);
    expect(exit.stderr).toContain('broken.yaml');
  });

  test('a file that is not there, an unknown flag, an unknown variable', async () => {
    const missing = await runDaemon(['--config', join(directory, 'none.yaml')]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('none.yaml');
    const flag = await runDaemon(['--prot', '0']);
    expect(flag.code).toBe(2);
    expect(flag.stderr).toContain('--prot');
    const variable = await runDaemon(['--port', '0'], { LLAMA_ORCH_POOLS__0__SLOTZ: '1' });
    expect(variable.code).toBe(2);
    expect(variable.stderr).toContain('LLAMA_ORCH_POOLS__0__SLOTZ');
  });
});

test.each(['--help', '-h'])('%s prints the flags and starts nothing', async (flag) => {
  const exit = await runDaemon([flag, '--config', join(directory, 'none.yaml')]);
  expect(exit).toMatchObject({ code: 0, stderr: '' });
  expect(exit.stdout).toMatch(/^llama-orch: .*--data-dir DIR/s);
});

describe('what is taken already', () => {
  test('a second daemon on the same data directory is refused, and the first goes on', async () => {
    await using daemon = await startDaemon({ config: { pools: [simulatorPool([])] } });
    await daemon.client.untilReady(2);
    const engines = daemon.children().length;
    const second = await runDaemon([
      ...['--config', join(daemon.directory, 'llama-orch.yaml')],
      ...['--port', '0', '--data-dir', daemon.dataDir],
    ]);
    expect(second.code).not.toBe(0);
    expect(second.stdout).toBe('');
    expect(second.stderr).toContain(daemon.dataDir);
    expect(second.stderr).not.toMatch(/\n\s+at /);
    const stream = await daemon.client.run({ prompt: 'still mine' });
    checkWholeStream(stream.events);
    expect(daemon.children()).toHaveLength(engines);
    expect((await daemon.client.poolHealth()).replicas.map((each) => each.restarts)).toEqual([
      0, 0,
    ]);
    expect(existsSync(join(daemon.dataDir, 'orchestratord.json'))).toBe(true);
  });

  test('a port in use is named, with what to do', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const exit = await runDaemon([
        ...['--config', writeConfig(directory, { pools: [simulatorPool([])] })],
        ...['--port', String(port), '--data-dir', join(directory, 'port')],
      ]);
      expect(exit.code).not.toBe(0);
      expect(exit.stderr).toContain(String(port));
      expect(exit.stderr).toContain('--port');
      expect(exit.stderr).not.toMatch(/\n\s+at /);
    } finally {
      server.close();
    }
  });

  test('a data directory that cannot be written is named', async () => {
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    const exit = await runDaemon(['--port', '0', '--data-dir', join(file, 'data')]);
    expect(exit.code).not.toBe(0);
    expect(exit.stderr).toContain(file);
    expect(exit.stderr).not.toMatch(/\n\s+at /);
  });

  test('a model file that is not there: the daemon runs, and says what is missing', async () => {
    const pool = embeddedPool({
      model: { id: 'm', path: join(directory, 'none.gguf') },
      replicas: 1,
    });
    await using daemon = await startDaemon({
      config: {
        pools: [{ ...pool, restart: { max_restarts: 1, initial_delay_ms: 10, max_delay_ms: 20 } }],
      },
    });
    const health = await waitFor('the error', async () => {
      const now = await daemon.client.poolHealth();
      return now.recoverable === false && now;
    });
    expect(health.last_error).toContain('none.gguf');
    const answer = await daemon.client.call('createTask', { body: { prompt: 'p' } });
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ code: 'POOL_UNAVAILABLE' });
  });
});
