/** Real processes: whatever kills the daemon, no engine is left behind. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isRunning, until } from '../testing/until.ts';
import { PidFile } from './pid-file.ts';

const DAEMON = fileURLToPath(new URL('../testing/doomed-daemon.ts', import.meta.url));
const GONE_WITHIN_MS = 2000;

let dataDir: string;
const daemons: ChildProcess[] = [];
const engines: number[] = [];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'orphans-'));
});
afterEach(async () => {
  for (const daemon of daemons.splice(0)) daemon.kill('SIGKILL');
  for (const pid of engines.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  await rm(dataDir, { recursive: true });
});

interface Running {
  readonly daemon: ChildProcess;
  readonly engine: number;
  /** A process the engine started in a session of its own. */
  readonly escaped: number;
}

async function startDaemon(): Promise<Running> {
  const daemon = spawn(process.execPath, [DAEMON, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  daemons.push(daemon);
  let output = '';
  daemon.stdout.setEncoding('utf8').on('data', (piece: string) => (output += piece));
  const pidFile = join(dataDir, 'escaped.pid');
  await until('the engine runs', () => output.includes('\n') && existsSync(pidFile));
  await until('its child runs', () => readFileSync(pidFile, 'utf8') !== '');
  const running = {
    daemon,
    engine: Number(/engine (\d+)/.exec(output)?.[1]),
    escaped: Number(readFileSync(pidFile, 'utf8')),
  };
  engines.push(running.engine, running.escaped);
  expect(isRunning(running.engine) && isRunning(running.escaped)).toBe(true);
  return running;
}

function guardOf(daemon: ChildProcess): number {
  const children = readFileSync(`/proc/${daemon.pid}/task/${daemon.pid}/children`, 'utf8');
  const guard = children
    .trim()
    .split(' ')
    .find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('child-guard'));
  return Number(guard);
}

test('OC-POOL-3022 an engine dies with a daemon that is killed', async () => {
  const { daemon, engine } = await startDaemon();
  daemon.kill('SIGKILL');
  await until('the engine is gone', () => !isRunning(engine), GONE_WITHIN_MS);
});

test('OC-POOL-3022 a stopped engine dies with a daemon that is killed', async () => {
  const { daemon, engine } = await startDaemon();
  process.kill(engine, 'SIGSTOP');
  daemon.kill('SIGKILL');
  await until('the engine is gone', () => !isRunning(engine), GONE_WITHIN_MS);
});

test('a daemon that crashes by itself takes its engine along', async () => {
  const { daemon, engine } = await startDaemon();
  daemon.kill('SIGABRT');
  await until('the engine is gone', () => !isRunning(engine), GONE_WITHIN_MS);
});

test.runIf(process.platform === 'linux')(
  'a process that left the group of its engine is found by its mark',
  async () => {
    const { daemon, escaped } = await startDaemon();
    daemon.kill('SIGKILL');
    await until('the escaped process is gone', () => !isRunning(escaped), GONE_WITHIN_MS);
  },
);

test.runIf(process.platform === 'linux')(
  'a guard that is killed is replaced, and the new one knows the engines',
  async () => {
    const { daemon, engine } = await startDaemon();
    const first = guardOf(daemon);
    process.kill(first, 'SIGKILL');
    await until('another guard runs', () => {
      const guard = guardOf(daemon);
      return Number.isInteger(guard) && guard !== first;
    });
    daemon.kill('SIGKILL');
    await until('the engine is gone', () => !isRunning(engine), GONE_WITHIN_MS);
  },
);

test.runIf(process.platform === 'linux')(
  'OC-POOL-3022 the next daemon sweeps up when daemon and guard were killed together',
  async () => {
    const { daemon, engine } = await startDaemon();
    const guard = guardOf(daemon);
    // Stopped first, so that neither acts on the death of the other.
    process.kill(guard, 'SIGSTOP');
    daemon.kill('SIGKILL');
    process.kill(guard, 'SIGKILL');
    await until('the daemon is gone', () => !isRunning(daemon.pid!));
    expect(isRunning(engine)).toBe(true);
    expect(new PidFile(dataDir).sweep()).toEqual([engine]);
    await until('the engine is gone', () => !isRunning(engine), GONE_WITHIN_MS);
  },
);

test('the engines of a daemon that still runs are left alone', async () => {
  const { engine } = await startDaemon();
  expect(new PidFile(dataDir).sweep()).toEqual([]);
  expect(isRunning(engine)).toBe(true);
});

test.runIf(process.platform === 'linux')(
  'OC-POOL-3022 an engine that has given itself another title is found all the same',
  async () => {
    const script =
      "process.title = 'engine: serving'; console.log('up'); setInterval(() => {}, 1000)";
    const engine = spawn(process.execPath, ['-e', script], { detached: true });
    engines.push(engine.pid!);
    let isUp = false;
    engine.stdout.once('data', () => (isUp = true));
    // Recorded at once, as an engine is.
    new PidFile(dataDir).add(engine.pid!);
    await until('it has its title', () => isUp);
    const path = join(dataDir, 'engines.pid.json');
    const content = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...content, daemon: { pid: 2, identity: 'gone' } }));
    expect(new PidFile(dataDir).sweep()).toEqual([engine.pid]);
    await until('the engine is gone', () => !isRunning(engine.pid!), GONE_WITHIN_MS);
  },
);

test('a process that merely got the pid of an old engine is left alone', async () => {
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
    detached: true,
  });
  const content = {
    daemon: { pid: process.pid, identity: 'another-boot 1' },
    children: [{ pid: bystander.pid, identity: 'another-boot 2' }],
  };
  writeFileSync(join(dataDir, 'engines.pid.json'), JSON.stringify(content));
  expect(new PidFile(dataDir).sweep()).toEqual([]);
  expect(isRunning(bystander.pid!)).toBe(true);
  bystander.kill('SIGKILL');
});

test.each(['', '{', '{"children":[{"pid":-1}]}'])(
  'a pid file of %j is no reason to fail',
  (text) => {
    writeFileSync(join(dataDir, 'engines.pid.json'), text);
    expect(new PidFile(dataDir).sweep()).toEqual([]);
  },
);
