/** The build with tools that only pretend: when it builds, what it leaves behind, what it says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stillRunning } from '../src/process-table.ts';
import { waitFor } from '../src/wait-for.ts';
import { takeBuildLock } from './build-lock.ts';
import { buildLlamaServer } from './build.ts';
import { isBuilt, llamaServerRecipe, type Recipe } from './recipe.ts';
import { MissingTool, ToolFailed } from './run-tool.ts';

/** Does as cmake does, as far as anyone looks; each call is a line of $CALLS. */
const CMAKE = `#!/bin/sh
echo "$*" >> "$CALLS"
case "$1" in
  -S) [ "$BEHAVIOUR" = no-compiler ] && { echo 'No CMAKE_CXX_COMPILER could be found.'; exit 1; } ;;
  --build)
    [ "$BEHAVIOUR" = hang ] && { /bin/sleep 600 & echo $! > "$CALLS.pid"; wait; }
    [ "$BEHAVIOUR" = broken ] && { echo '[ 50%] Building'; echo 'error: no such thing'; exit 2; }
    echo '[ 12%] Building'; echo '[ 98%] Linking'
    /bin/mkdir -p "$2/bin"
    printf '#!/bin/sh\\necho version: fake\\n' > "$2/bin/llama-server"
    /bin/chmod +x "$2/bin/llama-server" ;;
esac
exit 0
`;
const GIT = `#!/bin/sh
echo "git $*" >> "$CALLS"
`;
const COMMIT = 'de3ff815ea7d559ee917f063901b8986f038abc6';

let folder: string;
let said: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llama-orch-build-'));
  said = [];
  for (const name of ['bin', 'empty', 'sources']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'bin', 'cmake'), CMAKE, { mode: 0o755 });
  writeFileSync(join(folder, 'bin', 'git'), GIT, { mode: 0o755 });
  writeFileSync(join(folder, 'calls'), '');
  ship(COMMIT);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function ship(commit: string): void {
  const sources = join(folder, 'sources');
  writeFileSync(join(sources, 'gitRelease.bundle'), `# v2 git bundle\n${commit} HEAD\n\nPACK`);
  writeFileSync(join(sources, 'llama.cpp.info.json'), '{"tag":"v0.5.0"}');
}

const recipeOf = (): Recipe =>
  llamaServerRecipe({
    env: { LLAMA_SERVER_CACHE: join(folder, 'cache') },
    sources: join(folder, 'sources'),
  });

const build = (behaviour = 'well', signal?: AbortSignal, path = 'bin') =>
  buildLlamaServer(recipeOf(), {
    env: { PATH: join(folder, path), CALLS: join(folder, 'calls'), BEHAVIOUR: behaviour },
    say: (line) => said.push(line),
    ...(signal === undefined ? {} : { signal }),
  });

const calls = (): readonly string[] =>
  readFileSync(join(folder, 'calls'), 'utf8').split('\n').filter(Boolean);
const builds = () => calls().filter((call) => call.startsWith('--build')).length;
const cached = () => readdirSync(join(folder, 'cache')).filter((name) => !name.startsWith('lock'));

describe('the recipe', () => {
  test('is kept by release and by what goes into it', () => {
    const recipe = recipeOf();
    expect(recipe).toMatchObject({ release: 'v0.5.0', commit: COMMIT });
    expect(recipe.folder).toMatch(/\/cache\/v0\.5\.0-[0-9a-f]{12}$/);
    ship('0'.repeat(40));
    expect(recipeOf().folder).not.toBe(recipe.folder);
  });

  test('knows the sources that are installed, and the usual places of a cache', () => {
    const cacheOf = (env: NodeJS.ProcessEnv) => llamaServerRecipe({ env }).cache;
    expect(cacheOf({ XDG_CACHE_HOME: '/c' })).toBe('/c/llama-orch/llama-server');
    expect(cacheOf({})).toMatch(/\/\.cache\/llama-orch\/llama-server$/);
    expect(llamaServerRecipe({ env: {} }).release).toMatch(/^\w/);
  });

  test('takes nothing for a bundle that is none', () => {
    ship('not a commit');
    expect(() => recipeOf()).toThrow(/no git bundle/);
  });
});

describe('a build', () => {
  test('OC-TEST-7010 happens once, tells how far it is, and leaves the binary and what it is', async () => {
    const binary = await build();
    expect(binary).toBe(recipeOf().binary);
    expect(said).toEqual([expect.stringContaining('v0.5.0'), '  10 %', '  90 %']);
    const about = JSON.parse(readFileSync(join(recipeOf().folder, 'build.json'), 'utf8')) as object;
    expect(about).toMatchObject({ commit: COMMIT, version: 'version: fake' });
    expect(cached()).toEqual([recipeOf().folder.split('/').at(-1)]);

    const before = calls().length;
    expect(await build()).toBe(binary);
    expect(calls()).toHaveLength(before);
  });

  test('OC-TEST-7010 of several at once only one builds, and all get the binary', async () => {
    const binaries = await Promise.all([build(), build(), build()]);
    expect(new Set(binaries)).toEqual(new Set([recipeOf().binary]));
    expect(builds()).toBe(1);
    expect(said).toContain('waiting for another build of llama-server');
  });

  test('that fails says why and leaves nothing; the next one may succeed', async () => {
    await expect(build('broken')).rejects.toThrow(/error: no such thing/);
    await expect(build('broken')).rejects.toBeInstanceOf(ToolFailed);
    expect(cached()).toEqual([]);
    expect(isBuilt(recipeOf())).toBe(false);
    await build();
  });

  test('that is stopped ends its tools and leaves nothing', async () => {
    const abort = new AbortController();
    const reason = new Error('stopped by the test');
    const stopped = build('hang', abort.signal);
    const pidFile = join(folder, 'calls.pid');
    const pid = await waitFor('the build to run', () =>
      existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) || undefined : undefined,
    );
    expect(isBuilt(recipeOf())).toBe(false);
    abort.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    expect(cached()).toEqual([]);
    const sleep = { pid, parent: 0, command: '/bin/sleep 600' };
    await waitFor('its tools to be gone', () => stillRunning([sleep]).length === 0);
  });

  test('removes what a build that died left behind', async () => {
    mkdirSync(join(folder, 'cache', 'unfinished-abc', 'build'), { recursive: true });
    await build();
    expect(cached().filter((name) => name.startsWith('unfinished'))).toEqual([]);
  });

  test('without its tools names the one that is missing', async () => {
    const without = build('well', undefined, 'empty');
    await expect(without).rejects.toBeInstanceOf(MissingTool);
    await expect(without).rejects.toThrow(/git is not installed/);
    await expect(build('no-compiler')).rejects.toBeInstanceOf(MissingTool);
    expect(cached()).toEqual([]);
  });
});

describe('the lock', () => {
  const HOLDER = `
    const { takeBuildLock } = await import(process.argv[1]);
    await takeBuildLock(process.argv[2], { withinMs: 0, signal: new AbortController().signal, onWait() {} });
    console.log('held');
    setInterval(() => {}, 1000);`;

  test('of a process that was killed is free again', async () => {
    const file = join(folder, 'lock');
    const module = new URL('build-lock.ts', import.meta.url).href;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, module, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    const { signal } = new AbortController();
    let waited = 0;
    const mine = takeBuildLock(file, { withinMs: 30_000, signal, onWait: () => (waited += 1) });
    await waitFor('the lock to be asked for in vain', () => waited > 0);
    holder.kill('SIGKILL');
    using _lock = await mine;
    expect(waited).toBe(1);
  });

  test('is not waited for without end', async () => {
    const file = join(folder, 'lock');
    const { signal } = new AbortController();
    const options = { withinMs: 0, signal, onWait: () => undefined };
    using _lock = await takeBuildLock(file, options);
    await expect(takeBuildLock(file, options)).rejects.toThrow(/for too long/);
  });
});
