import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { isRunning, REAL_CLOCK, until } from '../testing/until.ts';
import { createSpawnEngine, describeExit } from './spawn-engine.ts';
import type { EngineProcess } from './spawn-engine.ts';
import { terminate } from './terminate.ts';

const started: EngineProcess[] = [];
afterEach(async () => {
  for (const engine of started.splice(0)) {
    engine.kill('SIGKILL');
    await engine.exited;
  }
});

const registered = new Set<number>();
const registry = {
  environment: { MARK: 'marked' },
  beforeSpawn: () => undefined,
  add: (pid: number) => void registered.add(pid),
  remove: (pid: number) => void registered.delete(pid),
};

function run(script: string, holdStdin = false): EngineProcess {
  const command = [process.execPath, '-e', script];
  const engine = createSpawnEngine(registry, REAL_CLOCK)({ command, env: {}, holdStdin });
  started.push(engine);
  return engine;
}

const WAIT = 'setInterval(() => {}, 1000);';

test('an exit is reported with its code and the last line of output', async () => {
  const engine = run(`console.error('cannot load model'); process.exit(3)`);
  expect(describeExit(await engine.exited)).toBe('exited with code 3');
  expect(engine.lastLines().at(-1)).toBe('cannot load model');
  expect(registered.has(engine.pid!)).toBe(false);
});

test('a program that does not exist is an exit like any other', async () => {
  const spawn = createSpawnEngine(registry, REAL_CLOCK);
  const engine = spawn({ command: ['/no/such/engine'], env: {}, holdStdin: false });
  expect(describeExit(await engine.exited)).toContain('could not be started');
});

test('the address is read from the line that names it', async () => {
  const engine = run(
    `console.log('loading'); console.log('listening on http://127.0.0.1:4711/');${WAIT}`,
  );
  expect(await engine.listening).toBe('http://127.0.0.1:4711');
});

test('OC-POOL-3023 output is always drained: an engine that talks without end never blocks', async () => {
  // 64 MB, a thousand times what a pipe holds.
  const engine = run(`
    const line = 'x'.repeat(65535) + '\\n';
    let left = 1024;
    const write = () => { if (left-- > 0) process.stderr.write(line, write); else process.exit(0); };
    write();
  `);
  expect(await engine.exited).toMatchObject({ code: 0 });
  expect(engine.lastLines().at(-1)).toHaveLength(400);
});

test('an engine gets the registered environment and nothing of ours', async () => {
  process.env['LLAMA_ARG_THREADS'] = '64';
  const engine = run(`console.log(JSON.stringify(Object.keys(process.env)))`);
  await engine.exited;
  delete process.env['LLAMA_ARG_THREADS'];
  const names = JSON.parse(engine.lastLines().at(-1) ?? '') as readonly string[];
  // Where lines are counted, Node hands that on whatever the environment.
  expect(names.filter((name) => name !== 'NODE_V8_COVERAGE')).toEqual(['MARK']);
});

test('what an engine started ends with it', async () => {
  const engine = run(`
    const child = require('node:child_process').spawn(process.execPath, ['-e', '${WAIT}']);
    console.log('child ' + child.pid + ' listening on http://x/');
    ${WAIT}
  `);
  await engine.listening;
  const child = Number(/\d+/.exec(engine.lastLines().at(-1) ?? '')?.[0]);
  process.kill(engine.pid!, 'SIGKILL');
  await engine.exited;
  await until('the child of the engine is gone', () => !isRunning(child));
});

test('SIGTERM is enough for an engine that obeys', async () => {
  const engine = run(`console.log('listening on http://x/');${WAIT}`);
  await engine.listening;
  expect(await terminate(engine, 10_000, REAL_CLOCK)).toBe(true);
  expect(await engine.exited).toMatchObject({ signal: 'SIGTERM' });
});

test.each(['SIGTERM is ignored', 'the process is stopped'])(
  'SIGKILL follows when %s',
  async (how) => {
    const engine = run(
      `process.on('SIGTERM', () => {}); console.log('listening on http://x/');${WAIT}`,
    );
    await engine.listening;
    if (how === 'the process is stopped') process.kill(engine.pid!, 'SIGSTOP');
    expect(await terminate(engine, 50, REAL_CLOCK)).toBe(true);
    expect(await engine.exited).toMatchObject({ signal: 'SIGKILL' });
  },
);

test('OC-POOL-3025 an engine and its session run below the daemon', async () => {
  const { pid = 0 } = run(WAIT);
  const below = Math.min(19, getPriority() + 10);
  expect(getPriority(pid)).toBe(below);
  const session = (): string => readFileSync(`/proc/${pid}/autogroup`, 'utf8');
  // Where the system does not balance sessions, the priority of the process is all that counts.
  if (!existsSync(`/proc/${pid}/autogroup`) || session() === '') return;
  await until('the session to be below', () => session().includes(`nice ${below}`));
});
