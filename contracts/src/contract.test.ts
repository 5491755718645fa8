import { readFile } from 'node:fs/promises';

import { describe, expect, test } from 'vitest';

import type { Contract, Json, JsonObject } from '../scripts/contract-document.ts';
import { object, operationsOf, readContract, string } from '../scripts/contract-document.ts';
import { CONTRACT_FILES } from './contract-files.ts';
import { ERROR_KINDS } from './errors.ts';
import { API_VERSION } from './index.ts';
import { validateConfig, validateHostConfig } from './validate-config.ts';
import {
  validateCanaryRequest,
  validateDrainRequest,
  validateHostSync,
  validateReloadRequest,
  validateTaskRequest,
} from './validate-request.ts';
import { validateResponse, validateTaskEvent } from './responses.ts';
import type { OperationId } from '../generated/operations.ts';

const data = await readContract(CONTRACT_FILES.data);
const control = await readContract(CONTRACT_FILES.control);
const pool = await readContract(CONTRACT_FILES.pool);
const config = await readContract(new URL('../openapi/config.yaml', import.meta.url));
const contracts = [data, control, pool];
const operations = operationsOf(contracts);

const schema = (contract: Contract, name: string): JsonObject =>
  object(object(object(contract.document['components'])['schemas'])[name]);

/** Every value of a document with its path, depth first. */
function* walk(node: Json, path: readonly string[] = []): Generator<[Json, readonly string[]]> {
  yield [node, path];
  if (typeof node !== 'object' || node === null) return;
  for (const [key, child] of Object.entries<Json>(node as JsonObject)) {
    yield* walk(child, [...path, key]);
  }
}

const isSchemaOf = (node: Json, type: string): node is JsonObject =>
  typeof node === 'object' &&
  node !== null &&
  !Array.isArray(node) &&
  object(node)['type'] === type;

describe('fixed names', () => {
  const FIXED_FIELDS: Readonly<Record<string, readonly [Contract, readonly string[]]>> = {
    TaskRequest: [
      data,
      'task_id session_id workload model_ref engine ctx priority seed determinism sampler_profile_version prompt messages inputs max_tokens deadline_ms expected_tokens kv_hint'.split(
        ' ',
      ),
    ],
    AdmissionResponse: [data, ['task_id', 'queue_position', 'predicted_start_ms', 'backoff_ms']],
    SessionInfo: [data, ['ttl_ms_remaining', 'turns', 'kv_bytes', 'kv_warmth']],
    StartedEvent: [data, ['queue_position', 'predicted_start_ms']],
    TokenEvent: [data, ['t', 'i']],
    MetricsEvent: [
      data,
      'on_time_probability queue_depth kv_warmth tokens_budget_remaining time_budget_remaining_ms cost_budget_remaining'.split(
        ' ',
      ),
    ],
    EndEvent: [data, ['tokens_out', 'decode_ms']],
    ErrorEvent: [data, ['code', 'message', 'engine']],
    Capabilities: [control, ['api_version', 'engines']],
    EngineCapabilities: [
      control,
      ['engine', 'ctx_max', 'supported_workloads', 'rate_limits', 'features', 'models'],
    ],
    DrainRequest: [control, ['deadline_ms']],
  };

  test.each(Object.entries(FIXED_FIELDS))('%s keeps its fields', (name, [contract, fields]) => {
    expect(Object.keys(object(schema(contract, name)['properties']))).toEqual(
      expect.arrayContaining([...fields]),
    );
  });

  test('ORCH-2001 ORCH-2003 ORCH-2004 ORCH-2005 ORCH-2101 operations keep their paths and statuses', () => {
    const found = operations.map(
      (op) => `${op.method} ${op.path} ${[...op.responses.keys()].join(' ')}`,
    );
    for (const [call, ...statuses] of [
      ['POST /v1/tasks', '202', '400', '429', '503'],
      ['GET /v1/tasks/{id}/stream', '200', '404'],
      ['POST /v1/tasks/{id}/cancel', '204', '404'],
      ['GET /v1/sessions/{id}', '200', '404'],
      ['DELETE /v1/sessions/{id}', '204', '404'],
      ['GET /v1/capabilities', '200'],
      ['GET /v1/replicasets', '200'],
      ['GET /v1/pools/{id}/health', '200'],
      ['POST /v1/pools/{id}/drain', '202'],
      ['GET /metrics', '200'],
    ] as const) {
      const row = found.find((line) => line.startsWith(`${call} `));
      expect(row?.slice(call.length).split(' ')).toEqual(expect.arrayContaining([...statuses]));
    }
  });
});

describe('errors', () => {
  test('ORCH-2006 OC-CTRL-2030 the error kinds of the contract and of the code are the same set', () => {
    expect(new Set(schema(data, 'ErrorKind')['enum'] as string[])).toEqual(
      new Set(Object.keys(ERROR_KINDS)),
    );
  });

  test('ORCH-3093 deadlines, deprecated models and untrusted artifacts have kinds of their own', () => {
    expect(schema(data, 'ErrorKind')['enum']).toEqual(
      expect.arrayContaining(['DEADLINE_UNMET', 'MODEL_DEPRECATED', 'UNTRUSTED_ARTIFACT']),
    );
  });

  test('OC-CTRL-2011 a 429 may carry exactly the kinds whose status is 429', () => {
    const [, extra] = schema(data, 'BackpressureEnvelope')['allOf'] as readonly JsonObject[];
    const code = object(object(extra?.['properties'])['code']);
    const kinds = Object.entries(ERROR_KINDS).filter(([, { status }]) => status === 429);
    expect(new Set(code['enum'] as string[])).toEqual(new Set(kinds.map(([kind]) => kind)));
  });

  test.each(operations.map((op) => [op.operationId, op] as const))(
    '%s answers every refusal with the envelope',
    (_, op) => {
      expect(op.responses.has('default')).toBe(true);
      for (const [status, ref] of op.responses) {
        if (status !== 'default' && Number(status) < 400) continue;
        expect(ref).toMatch(/^data.yaml#\/components\/schemas\/(Error|Backpressure)Envelope$/);
      }
    },
  );
});

describe('ORCH-3035 who may call', () => {
  const scopes = new Set(operations.map((op) => op.scope));

  test('an operation needs a scope that a key can have, any key, or none', () => {
    const { properties } = schema(config, 'KeyConfig');
    const { items } = object(object(properties)['scopes']);
    const configurable = object(items)['enum'] as string[];
    expect(scopes).toEqual(new Set([...configurable, 'any', null]));
  });

  test('only probes and the contracts themselves are open', () => {
    expect(operations.filter((op) => op.scope === null).map((op) => op.path)).toEqual([
      '/healthz',
      '/readyz',
      '/openapi/data.yaml',
      '/openapi/control.yaml',
      '/openapi/pool.yaml',
    ]);
  });

  test.each(
    operations.filter((op) => op.scope !== null).map((op) => [op.operationId, op] as const),
  )('%s may be refused with 401 and 403', (_, op) => {
    expect([...op.responses.keys()]).toEqual(expect.arrayContaining(['401', '403']));
  });
});

describe('headers', () => {
  const responses = Object.values(object(object(data.document['components'])['responses']));

  test('OC-CTRL-2052 every answer carries the correlation id', () => {
    const inline = contracts.flatMap((c) =>
      [...walk(c.document)].filter(
        ([node, path]) =>
          path.includes('paths') && path.at(-2) === 'responses' && !object(node)['$ref'],
      ),
    );
    expect(inline.length).toBeGreaterThan(10);
    for (const answer of [...responses, ...inline.map(([node]) => node)]) {
      expect(Object.keys(object(object(answer)['headers']))).toContain('X-Correlation-Id');
    }
  });

  test('ORCH-2007 a 429 says when to come back, twice; a 503 once', () => {
    const headersOf = (name: string) =>
      Object.keys(
        object(object(object(object(data.document['components'])['responses'])[name])['headers']),
      );
    expect(headersOf('TooManyRequests')).toEqual(
      expect.arrayContaining(['Retry-After', 'X-Backoff-Ms']),
    );
    expect(headersOf('Unavailable')).toContain('Retry-After');
  });
});

describe('every document', () => {
  const files = [...contracts, config].map((contract) => [contract.file, contract] as const);

  test('ORCH-3044 every plane has the version that capabilities report', () => {
    for (const { document } of contracts) {
      expect(object(document['info'])['version']).toBe(API_VERSION);
    }
  });

  test('operations are named once and trace to requirements', () => {
    const ids = operations.map((op) => op.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const op of operations) {
      expect(op.requirementIds.length, op.operationId).toBeGreaterThan(0);
      for (const id of op.requirementIds) expect(id).toMatch(/^(ORCH|OC-[A-Z]+)-[0-9]{4}$/);
    }
  });

  // In `{ a: one, two }` YAML reads "two" as a key without a value.
  test.each(files)('%s has no prose that fell apart into keys', (_, { document }) => {
    const empty = [...walk(document)].filter(([node]) => node === null);
    expect(empty.map(([, path]) => path.join('/'))).toEqual([]);
  });

  test.each(files)('%s closes every object, or opens it on purpose', (_, { document }) => {
    const open = [...walk(document)]
      .filter(([node]) => isSchemaOf(node, 'object'))
      .filter(([node]) => object(node)['additionalProperties'] === undefined)
      .map(([, path]) => path.join('/'));
    // Adds a rule to ErrorEnvelope, which is closed.
    expect(open.filter((path) => !path.includes('BackpressureEnvelope/allOf/1'))).toEqual([]);
  });

  test.each(files)('%s bounds every list', (_, { document }) => {
    const unbounded = [...walk(document)]
      .filter(([node]) => isSchemaOf(node, 'array') && object(node)['maxItems'] === undefined)
      .map(([, path]) => path.join('/'));
    expect(unbounded).toEqual([]);
  });

  test('every text and number a client may send is bounded', () => {
    const unbounded = ['TaskRequest', 'Placement', 'ChatMessage', 'Uuid', 'Name', 'Seed'].flatMap(
      (name) =>
        [...walk(schema(data, name))]
          .filter(([node]) => {
            if (isSchemaOf(node, 'string')) {
              return (
                !node['maxLength'] &&
                !node['enum'] &&
                !JSON.stringify(node['pattern']).includes('{12}')
              );
            }
            return (
              (isSchemaOf(node, 'integer') || isSchemaOf(node, 'number')) &&
              (node['minimum'] === undefined || node['maximum'] === undefined)
            );
          })
          .map(([, path]) => [name, ...path].join('/')),
    );
    expect(unbounded).toEqual([]);
  });

  test('OC-CONFIG-6002 every value of the configuration is described and required or defaulted', () => {
    const optional = new Set(
      [
        'path endpoints command max_concurrent rps burst devices tensor_split memory_bytes sha256 keep_alive_ms',
        'determinism api_key_env text_output metrics_url served_name chat_template key_file advertise_url host_id',
      ].flatMap((keys) => keys.split(' ')),
    );
    const schemas = object(object(config.document['components'])['schemas']);
    for (const [name, node] of Object.entries(schemas)) {
      const { properties, required = [] } = object(node);
      if (properties === undefined) continue;
      for (const [key, value] of Object.entries(object(properties))) {
        const { description, default: fallback } = object(value);
        expect(description, `${name}.${key}`).toBeTypeOf('string');
        if ((required as string[]).includes(key) || optional.has(key)) continue;
        if (/^(interactive|batch)_capacity$/.test(key)) continue;
        expect(fallback, `${name}.${key} has a default`).toBeDefined();
      }
    }
  });
});

describe('examples', () => {
  const examples = contracts.flatMap((contract) =>
    [...walk(contract.document)].flatMap(([node, path]) =>
      path.at(-2) === 'examples' ? [{ contract, path, value: object(node)['value'] }] : [],
    ),
  );

  test.each(examples.map((e) => [`${e.contract.file} ${e.path.slice(1).join(' ')}`, e] as const))(
    'fits its schema: %s',
    (_, { contract, path, value }) => {
      if (path.includes('requestBody')) {
        const checks = [
          validateTaskRequest(value),
          validateDrainRequest(value),
          validateReloadRequest(value),
          validateCanaryRequest(value),
          validateHostSync(value),
        ];
        expect(checks.some((c) => c.ok)).toBe(true);
      } else if (path.includes('text/event-stream')) {
        const events = [...string(value).matchAll(/^event: (\w+)\ndata: (.*)$/gm)];
        // One that ends while it waits never started.
        if (events.length > 1) expect(events[0]?.[1]).toBe('started');
        expect(value).toMatch(/^event: (end|error)\ndata: .*\n\n$(?![^])/m);
        for (const [, event = '', text = ''] of events) {
          expect(validateTaskEvent(event, JSON.parse(text))).toMatchObject({ ok: true });
        }
      } else if (path[0] === 'components') {
        const status = path[2] === 'TooManyRequests' ? 429 : 400;
        expect(validateResponse('createTask', status, value)).toMatchObject({ ok: true });
      } else {
        const [, url = '', method = '', , status] = path;
        const operation = object(object(object(contract.document['paths'])[url])[method]);
        const id = operation['operationId'] as OperationId;
        expect(validateResponse(id, Number(status), value)).toMatchObject({ ok: true });
      }
    },
  );

  test('there are some of each kind', () => {
    expect(examples.length).toBeGreaterThan(10);
  });
});

async function editorsSchema(name: string): Promise<(value: unknown) => boolean> {
  const text = await readFile(new URL(`../generated/${name}`, import.meta.url), 'utf8');
  const { Ajv2020 } = await import('ajv/dist/2020.js');
  return new Ajv2020({ strictTypes: false, strictRequired: false }).compile(
    JSON.parse(text) as object,
  );
}

test('OC-CONFIG-6002 the schema for editors says what the daemon checks', async () => {
  const validate = await editorsSchema('config.schema.json');
  for (const value of [
    {},
    { server: { port: 1 } },
    { server: { port: -1 } },
    { sever: {} },
    { pools: [{ id: 'a', model: { id: 'm' }, launch: 'external' }] },
    { pools: [{ id: 'a', model: { id: 'm' }, launch: 'external', endpoints: ['http://a:1'] }] },
  ]) {
    expect(validate(structuredClone(value))).toBe(validateConfig(value).ok);
  }
});

test('OC-CONFIG-6017 the schema for editors of a host says what pool-managerd checks', async () => {
  const validate = await editorsSchema('host-config.schema.json');
  const host = {
    host_id: 'gpu-a',
    orchestrator: { url: 'http://10.0.0.1:8080' },
    pools: [{ id: 'a', model: { id: 'm', path: 'm.gguf' } }],
  };
  const [hostPool] = host.pools;
  for (const value of [
    host,
    {},
    { ...host, host_id: 'gpu.a' },
    { ...host, lease_ttl_ms: 1 },
    { ...host, gateway: { port: 0, hots: '' } },
    { ...host, pools: [{ ...hostPool, queue: {} }] },
    { ...host, pools: [{ ...hostPool, launch: 'remote' }] },
    { ...host, pools: [{ ...hostPool, launch: 'process', command: ['x'], env: { A: 'b' } }] },
    { ...host, pools: [{ ...hostPool, launch: 'external' }] },
  ]) {
    expect(validate(structuredClone(value))).toBe(validateHostConfig(value).ok);
  }
});
