import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { OrchError } from '@llama-orch/contracts';
import { describe, expect, test } from 'vitest';

import type { ConfigInput } from './load-config.ts';
import { loadConfig } from './load-config.ts';

const FILE = '/etc/orch/llama-orch.yaml';
const POOL = 'pools: [{ id: a, model: { id: m, path: m.gguf } }]';

/** Loads with one file in a world without others. */
function load(yaml: string | undefined, input: Partial<ConfigInput> = {}) {
  const argv = yaml === undefined ? [] : ['--config', FILE];
  return loadConfig({
    env: {},
    cwd: '/home/op',
    projectRoot: '/opt/llama-orch',
    readFile: (path) => {
      if (path === FILE && yaml !== undefined) return yaml;
      throw Object.assign(new Error('no file'), { code: 'ENOENT' });
    },
    ...input,
    argv: [...argv, ...(input.argv ?? [])],
  });
}

/** Path and message of each fault; loading must fail with INVALID_PARAMS. */
function faultsOf(yaml: string | undefined, input: Partial<ConfigInput> = {}) {
  try {
    load(yaml, input);
  } catch (error) {
    if (!(error instanceof OrchError)) throw error;
    expect(error.kind).toBe('INVALID_PARAMS');
    return (error.details ?? []).map(({ path, message }) => `${path} ${message}`);
  }
  throw new Error('was accepted');
}

describe('OC-CONFIG-6007 the file', () => {
  test('may be absent: the embedded default is served', () => {
    const { config, configFile } = load(undefined);
    expect(configFile).toBeUndefined();
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 8080 });
    expect(config.sessions).toEqual({ ttl_ms: 600_000, max_turns: 8 });
    expect(config.data_dir).toBe('/home/op/.llama-orch');
    expect(config.pools).toHaveLength(1);
    expect(config.pools[0]).toMatchObject({
      id: 'default',
      engine: 'llamacpp',
      launch: 'embedded',
      model: { id: 'tiny-haiku', path: '/opt/llama-orch/models/tiny-haiku.gguf' },
      device: 'cpu',
      replicas: 2,
      slots: 1,
      ctx: 1024,
      queue: { capacity: 256, full_policy: 'reject' },
      timeouts: { wall_ms: 60_000, idle_ms: 5_000 },
    });
  });

  test('llama-orch.yaml of the working directory is taken unasked', () => {
    const readFile = (path: string) =>
      path === '/home/op/llama-orch.yaml' ? 'log: {level: warn}' : '';
    const { config, configFile } = loadConfig({
      argv: [],
      env: {},
      cwd: '/home/op',
      projectRoot: '/opt/llama-orch',
      readFile,
    });
    expect(configFile).toBe('/home/op/llama-orch.yaml');
    expect(config.log.level).toBe('warn');
  });

  test('named by the flag wins over the one named by the variable', () => {
    const read: string[] = [];
    const readFile = (path: string) => {
      read.push(path);
      return '';
    };
    const env = { LLAMA_ORCH_CONFIG: 'env.yaml' };
    load(undefined, { env, readFile });
    load(undefined, { env, readFile, argv: ['--config', 'flag.yaml'] });
    expect(read).toEqual(['/home/op/env.yaml', '/home/op/flag.yaml']);
  });

  test('that was named must exist', () => {
    expect(faultsOf(undefined, { argv: ['--config', 'none.yaml'] })).toEqual([
      '/home/op/none.yaml cannot be read (ENOENT)',
    ]);
  });

  test('that exists but cannot be read is not passed over', () => {
    const readFile = () => {
      throw Object.assign(new Error('no'), { code: 'EACCES' });
    };
    expect(faultsOf(undefined, { readFile })).toEqual([
      '/home/op/llama-orch.yaml cannot be read (EACCES)',
    ]);
  });

  test('may be empty', () => {
    expect(load('').config.pools[0]?.id).toBe('default');
    expect(load('# nothing\n').config.pools[0]?.id).toBe('default');
  });
});

describe('OC-CONFIG-6006 layers', () => {
  const yaml = 'server: { port: 1 }\n';
  const short = { LLAMA_ORCH_PORT: '2' };
  const full = { LLAMA_ORCH_SERVER__PORT: '3' };
  const argv = ['--port', '4'];

  test.each([
    [8080, undefined, {}],
    [1, yaml, {}],
    [2, yaml, { env: short }],
    [3, yaml, { env: { ...short, ...full } }],
    [3, yaml, { env: { ...full, ...short } }],
    [4, yaml, { env: { ...short, ...full }, argv }],
    [1, yaml, { env: { LLAMA_ORCH_PORT: '' } }],
  ] as const)('the port is %d', (port, file, input) => {
    expect(load(file, input).config.server.port).toBe(port);
  });

  test('each flag sets its value', () => {
    const flags = '--host ::1 --port 0 --data-dir d --log-level debug'.split(' ');
    const { config } = load(undefined, { argv: flags });
    expect(config.server).toMatchObject({ host: '::1', port: 0 });
    expect(config.data_dir).toBe('/home/op/d');
    expect(config.log.level).toBe('debug');
  });

  test('a variable changes one value of a default or configured pool', () => {
    const env = { LLAMA_ORCH_POOLS__0__QUEUE__CAPACITY: '7', LLAMA_ORCH_POOLS__0__REPLICAS: '1' };
    expect(load(undefined, { env }).config.pools[0]).toMatchObject({
      id: 'default',
      replicas: 1,
      queue: { capacity: 7, full_policy: 'reject' },
    });
    expect(load(POOL, { env }).config.pools[0]).toMatchObject({ id: 'a', queue: { capacity: 7 } });
  });

  test('a variable can make a list', () => {
    const env = {
      LLAMA_ORCH_POOLS__0__LAUNCH: 'external',
      LLAMA_ORCH_POOLS__0__ENDPOINTS__0: 'http://gpu-1:8080',
      LLAMA_ORCH_POOLS__0__ENDPOINTS__1: 'http://gpu-2:8080',
    };
    const [pool] = load('pools: [{ id: a, model: { id: m } }]', { env }).config.pools;
    expect(pool).toMatchObject({
      endpoints: ['http://gpu-1:8080', 'http://gpu-2:8080'],
      replicas: 2,
    });
  });

  test('a variable says true or false, and nothing else passes for it', () => {
    const env = { LLAMA_ORCH_POOLS__0__SHARE: 'true', LLAMA_ORCH_POOLS__0__DEVICES__0: '1' };
    expect(load(undefined, { env }).config.pools[0]).toMatchObject({
      share: true,
      device: 'cuda:1',
    });
    expect(() => load(undefined, { env: { LLAMA_ORCH_POOLS__0__SHARE: 'yes' } })).toThrow();
  });

  test('text stays text where text is wanted', () => {
    const env = { LLAMA_ORCH_POOLS__0__MODEL__ID: '007' };
    expect(load(undefined, { env }).config.pools[0]?.model.id).toBe('007');
  });

  test('who set a value is told', () => {
    const { sources } = load(yaml, { env: short, argv: ['--host', 'localhost'] });
    expect(Object.fromEntries(sources)).toEqual({
      '/server/port': 'LLAMA_ORCH_PORT',
      '/server/host': '--host',
    });
  });

  test('OC-CONFIG-6009 the variables Kubernetes adds for a service are passed over', () => {
    const env = {
      LLAMA_ORCH_SERVICE_HOST: '10.0.0.1',
      LLAMA_ORCH_SERVICE_PORT_HTTP: '8080',
      LLAMA_ORCH_PORT: 'tcp://10.0.0.1:8080',
      LLAMA_ORCH_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    expect(load(undefined, { env }).config.server.port).toBe(8080);
  });
});

describe('OC-CONFIG-6006 variables', () => {
  test('reach every leaf, lists and fractions among them', () => {
    const env = {
      LLAMA_ORCH_TENANTS__0__ID: 'acme',
      LLAMA_ORCH_TENANTS__0__WEIGHT: '0.5',
      LLAMA_ORCH_TENANTS__0__MAX_CONCURRENT: '4',
      LLAMA_ORCH_AUTH__KEYS__0__ID: 'ci',
      LLAMA_ORCH_AUTH__KEYS__0__TENANT: 'acme',
      LLAMA_ORCH_AUTH__KEYS__0__SHA256: 'a'.repeat(64),
      LLAMA_ORCH_AUTH__KEYS__0__SCOPES__0: 'tasks:write',
      LLAMA_ORCH_POOLS__0__SCHEDULING__PREEMPTION: 'off',
    };
    const { config } = load(undefined, { env });
    expect(config.tenants).toEqual([{ id: 'acme', weight: 0.5, max_concurrent: 4 }]);
    expect(config.auth.keys).toEqual([
      { id: 'ci', tenant: 'acme', sha256: 'a'.repeat(64), scopes: ['tasks:write'] },
    ]);
    expect(config.pools[0]?.scheduling).toMatchObject({ interactive_weight: 8, preemption: 'off' });
  });

  test.each(['half', '1e3', '0x1', '1.', '', '-'])('are no number when they say %j', (text) => {
    const env = { LLAMA_ORCH_TENANTS__0__ID: 'a', LLAMA_ORCH_TENANTS__0__RPS: text };
    if (text === '') expect(load(undefined, { env }).config.tenants).toHaveLength(1);
    else expect(faultsOf(undefined, { env })[0]).toMatch(/^\/tenants\/0\/rps must be a number/);
  });
});

describe('OC-CONFIG-6008 paths', () => {
  const yaml = `data_dir: data\n${POOL}`;

  test('in the file are relative to the file', () => {
    const { config } = load(yaml);
    expect(config.data_dir).toBe('/etc/orch/data');
    expect(config.pools[0]?.model.path).toBe('/etc/orch/m.gguf');
  });

  test('in variables and flags are relative to the working directory', () => {
    const env = { LLAMA_ORCH_POOLS__0__MODEL__PATH: 'x.gguf', LLAMA_ORCH_DATA_DIR: 'd' };
    const { config } = load(yaml, { env });
    expect(config.data_dir).toBe('/home/op/d');
    expect(config.pools[0]?.model.path).toBe('/home/op/x.gguf');
  });

  test('that are absolute stay as they are', () => {
    expect(load('data_dir: /var/lib/orch').config.data_dir).toBe('/var/lib/orch');
  });

  test('the default data_dir lies beside the file, the default model in the installation', () => {
    const { config } = load('log: { level: info }');
    expect(config.data_dir).toBe('/etc/orch/.llama-orch');
    expect(config.pools[0]?.model.path).toBe('/opt/llama-orch/models/tiny-haiku.gguf');
  });
});

describe('ORCH-3030 OC-CONFIG-6001 a fault', () => {
  test('in the file names path, line and column', () => {
    expect(faultsOf('server:\n  prt: 1\n  port: x\n')).toEqual([
      `/server/prt is not a known field (${FILE}:2:3)`,
      `/server/port must be an integer (${FILE}:3:3)`,
    ]);
  });

  test('of what is missing names where it belongs', () => {
    expect(faultsOf('pools:\n  - id: a\n    launch: external\n    model: { id: m }\n')).toEqual([
      `/pools/0/endpoints is required (${FILE}:2:5)`,
    ]);
  });

  test('in a variable or flag names it', () => {
    const env = { LLAMA_ORCH_POOLS__0__SLOTS: '0', LLAMA_ORCH_LOG_LEVEL: 'loud' };
    expect(faultsOf(undefined, { env, argv: ['--port', '65536'] })).toEqual([
      '/server/port must be at most 65535 (--port)',
      '/log/level must be one of trace, debug, info, warn, error, fatal, silent (LLAMA_ORCH_LOG_LEVEL)',
      '/pools/0/slots must be at least 1 (LLAMA_ORCH_POOLS__0__SLOTS)',
    ]);
  });

  test('of an unknown variable names it', () => {
    const env = {
      LLAMA_ORCH_SERVER__PRT: '1',
      LLAMA_ORCH_SERVER: '{}',
      LLAMA_ORCH___PROTO__: 'x',
      LLAMA_ORCH_POOLS__FIRST__ID: 'a',
    };
    expect(faultsOf(undefined, { env })).toEqual(
      Object.keys(env)
        .toSorted()
        .map((name) => `${name} names no value of the configuration`),
    );
  });

  test.each([
    [
      ['--prot', '1'],
      ['--prot is not a known flag', '1 is not a flag'],
    ],
    [['--port'], ['--port needs a value']],
    [['--port='], ['--port needs a value']],
    [['--port', '1', '--port=2'], ['--port may be given only once']],
    [['--help=no'], ['--help takes no value']],
    [['start'], ['start is not a flag']],
    [
      ['-p', '1'],
      ['-p is not a known flag', '1 is not a flag'],
    ],
    [['--constructor'], ['--constructor is not a known flag']],
  ])('of the command line %j names the flag', (argv, faults) => {
    expect(faultsOf(undefined, { argv })).toEqual(faults);
  });

  test.each([
    ['- 1', '', 'must be an object', '1:1'],
    ['text', '', 'must be an object', '1:1'],
    ['server:', '/server', 'must be an object', '1:1'],
    ['__proto__: { port: 1 }', '/__proto__', 'is not a known field', '1:1'],
    ['pools: []', '/pools', 'must not be empty', '1:1'],
    ['pools: [7]', '/pools/0', 'must be an object', '1:9'],
  ])('of the shape of %j is told', (yaml, path, message, position) => {
    expect(faultsOf(yaml)).toEqual([`${path} ${message} (${FILE}:${position})`]);
  });
});

describe('OC-CONFIG-6005 YAML', () => {
  test.each([
    ['a key given twice', 'log: {}\nlog: {}', /:2:1 Map keys must be unique/],
    ['an alias', 'a: &x 1\nb: *x', /:2:4 aliases are not supported/],
    ['an alias bomb', 'a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]', /:2:8 aliases/],
    ['a cycle', 'a: &a [*a]', /aliases are not supported/],
    ['an unknown tag', 'a: !run x', /Unresolved tag/],
    ['two documents', 'log: {}\n---\nlog: {}', /multiple documents/],
    ['a syntax error', 'server: {', /:1:10 /],
    ['deep nesting', `a: ${'['.repeat(100)}${']'.repeat(100)}`, /nests too deeply/],
    ['absurd nesting', '['.repeat(20_000), /:1:/],
    ['a huge file', `# ${'x'.repeat(2_097_152)}`, /must have at most 2097152 bytes/],
  ])('with %s is refused', (_, yaml, fault) => {
    const faults = faultsOf(yaml);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  test('has room for as many keys and tenants as may be configured', () => {
    const keys = Array.from({ length: 10_000 }, (_, i) => {
      const sha256 = i.toString(16).padStart(64, '0');
      return `    - { id: key-${i}, tenant: tenant-${i % 1_000}, sha256: '${sha256}', scopes: [tasks:write, tasks:read] }`;
    });
    const tenants = Array.from({ length: 1_000 }, (_, i) => {
      return `  - { id: tenant-${i}, weight: 1, max_concurrent: 10, rps: 10, burst: 10 }`;
    });
    const yaml = ['auth:', '  keys:', ...keys, 'tenants:', ...tenants, ''].join('\n');
    const { config } = load(yaml);
    expect(config.auth.keys).toHaveLength(10_000);
    expect(config.tenants).toHaveLength(1_000);
    expect(faultsOf(`${yaml}  - { id: one-too-many }\n`)).toEqual([
      expect.stringMatching(/^\/tenants must have at most 1000 entries/),
    ]);
  });

  test('is read from disk no further than its bound', () => {
    const dir = mkdtempSync(join(tmpdir(), 'llama-orch-config-'));
    try {
      const path = join(dir, 'c.yaml');
      const input = { env: {}, cwd: dir, projectRoot: dir };
      writeFileSync(path, 'server: { port: 12 }\n');
      expect(loadConfig({ ...input, argv: ['--config', 'c.yaml'] }).config.server.port).toBe(12);
      writeFileSync(path, 'x'.repeat(4_000_000));
      expect(() => loadConfig({ ...input, argv: ['--config', path] })).toThrow(/at most 2097152/);
      expect(() => loadConfig({ ...input, argv: ['--config', '/dev/zero'] })).toThrow(
        /at most 2097152/,
      );
      expect(() => loadConfig({ ...input, argv: ['--config', dir] })).toThrow(/EISDIR/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('OC-CONFIG-6016 what an engine needs beyond the file', () => {
  const KEYED = `pools:
  - id: far
    engine: triton
    launch: external
    endpoints: ['https://api.example.com/api/v1']
    model: { id: m, chat_template: chat.jinja }
    api_key_env: FAR_KEY
`;
  const world = (files: Readonly<Record<string, string>>, env: Record<string, string> = {}) => ({
    env,
    readFile: (path: string): string => {
      const text = { [FILE]: KEYED, ...files }[path];
      if (text !== undefined) return text;
      throw Object.assign(new Error('no file'), { code: 'ENOENT' });
    },
  });
  const TEMPLATE = { '/etc/orch/chat.jinja': '{{ messages }}' };

  test('is read when the daemon starts, and the key is no part of the configuration', () => {
    const { config, engineInputs } = load(KEYED, world(TEMPLATE, { FAR_KEY: 'sk-1' }));
    expect(engineInputs.get('far')).toEqual({ apiKey: 'sk-1', chatTemplate: '{{ messages }}' });
    expect(config.pools[0]?.model.chat_template).toBe('/etc/orch/chat.jinja');
    expect(JSON.stringify(config)).not.toContain('sk-1');
  });

  test('must be there', () => {
    expect(faultsOf(KEYED, world({}, { FAR_KEY: '' }))).toEqual([
      `/pools/0/api_key_env names FAR_KEY, which is not set (${FILE}:7:5)`,
      `/pools/0/model/chat_template cannot be read (ENOENT) (${FILE}:6:21)`,
    ]);
  });

  test('a key that no header could carry is refused without being told', () => {
    const [fault = ''] = faultsOf(KEYED, world(TEMPLATE, { FAR_KEY: 'sk\nsecret' }));
    expect(fault).toMatch(/^\/pools\/0\/api_key_env names FAR_KEY, which holds more than/);
    expect(fault).not.toContain('secret');
  });
});
