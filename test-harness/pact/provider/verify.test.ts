/** The daemon keeps the pacts; and one that does not is found out. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDaemonOverSim, type DaemonOverSim } from '../../src/daemon-over-sim.ts';
import { ProgramRun, type Exit } from '../../src/program-run.ts';
import { PROJECT_ROOT } from '../../src/temp-config.ts';
import { within } from '../../src/wait-for.ts';
import { readPacts } from '../pact-files.ts';
import { STATES } from './states.ts';
import { situationOf } from './verify.ts';

/** Generous against a loaded machine. */
const VERIFICATION_MS = 240_000;

/** `npm run pact:verify`, as a process of its own: the native verifier writes its report to stdout. */
async function verification(...args: readonly string[]): Promise<Exit> {
  const entry = join(PROJECT_ROOT, 'test-harness', 'pact', 'provider', 'main.ts');
  const run = new ProgramRun(entry, args, {});
  try {
    return await within('the end of the verification', run.exited, VERIFICATION_MS);
  } finally {
    run.child.kill('SIGKILL');
  }
}

const lastLine = ({ stdout }: Exit) => stdout.trimEnd().split('\n').at(-1);

test(
  'OC-TEST-7406 the daemon keeps every pact, in situations that are real',
  async () => {
    const pacts = await readPacts();
    const count = pacts.flatMap(({ interactions }) => interactions).length;
    const exit = await verification();
    expect(exit.code, exit.stderr).toBe(0);
    expect(lastLine(exit)).toBe(`${count} interactions verified: all kept`);
  },
  VERIFICATION_MS,
);

describe('a daemon that runs already', () => {
  let setUp: DaemonOverSim;

  beforeAll(async () => {
    setUp = await startDaemonOverSim({});
  });
  afterAll(() => setUp[Symbol.asyncDispose]());

  test(
    'OC-TEST-7407 what can be had there is verified, also again; the rest is skipped by name',
    async () => {
      const pacts = await readPacts();
      const situations = pacts.flatMap(({ interactions }) => interactions.map(situationOf));
      const possible = situations.filter(({ name }) => STATES[name].elsewhere === 'any');
      const exit = await verification('--base-url', setUp.daemon.url);
      expect(exit.code, exit.stderr).toBe(0);
      expect(lastLine(exit)).toBe(`${possible.length} interactions verified: all kept`);
      expect(exit.stdout).toContain('SKIPPED 3 of "a full queue": needs pools with');
      expect(exit.stdout).toContain('of "a key that is not known": needs --key');
      expect(possible.length).toBeGreaterThan(90);
      const again = await verification('--base-url', setUp.daemon.url, '--only', 'Task: ');
      expect(again.code, again.stderr).toBe(0);
    },
    VERIFICATION_MS,
  );

  describe('OC-TEST-7408 that breaks a pact is found out', () => {
    /** What it says instead, as long as what it should say. */
    const faults: readonly (readonly [string, string, string, string, RegExp])[] = [
      [
        'a field with another name',
        '"queue_position":',
        '"queue_positioN":',
        'createTask: with a prompt and nothing else',
        /queue_position/,
      ],
      [
        'another status',
        ' 404 Not Found',
        ' 410 Not Found',
        'getTask: with an id that nobody has',
        /expected 404 but was 410/,
      ],
      [
        'a header that is not there',
        'X-Correlation-Id:',
        'X-Correlation-No:',
        'getLiveness: of a process that answers',
        /X-Correlation-Id/,
      ],
      [
        'an event with another name',
        'event: end',
        'event: fin',
        'streamTask: from the beginning',
        /event: fin/,
      ],
      ['an event with another index', '"i":1', '"i":2', 'createTask: and its stream', /"i":2/],
    ];
    test.each(faults)(
      '%s',
      async (_what, said, instead, only, reason) => {
        await using wrong = await startMisquote(setUp.daemon.url, said, instead);
        const broken = await verification('--base-url', wrong.url, '--only', only);
        expect(broken.code).toBe(1);
        expect(lastLine(broken)).toBe('1 interactions verified: BROKEN');
        expect(broken.stderr).toMatch(reason);
      },
      VERIFICATION_MS,
    );
  });

  test('OC-TEST-7408 through the same way, but quoted well, it keeps them', async () => {
    await using honest = await startMisquote(setUp.daemon.url, 'event: end', 'event: end');
    const kept = await verification('--base-url', honest.url, '--only', 'streamTask: from');
    expect(kept.code, kept.stderr).toBe(0);
    expect(lastLine(kept)).toBe('2 interactions verified: all kept');
  });

  test('nothing to verify, and what is no option, are errors', async () => {
    const none = await verification('--base-url', setUp.daemon.url, '--only', 'of no pact');
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('no interaction was verified');
    const nobody = await verification('--base-url', 'http://127.0.0.1:9');
    expect(nobody.stderr).toContain('nothing answers at http://127.0.0.1:9');
    expect((await verification('--base', 'x')).code).toBe(2);
    expect((await verification('--base-url', 'here')).stderr).toContain('is not a URL');
  });
});

/** Passes on what a daemon says, but for one thing. */
async function startMisquote(
  target: string,
  said: string,
  instead: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const { hostname, port } = new URL(target);
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
      // The other side sees the close.
      socket.on('error', () => undefined);
    }
    near.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) =>
      near.write(bytes.toString('latin1').replaceAll(said, instead), 'latin1'),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
