/** Discovery, probes, metrics, events and the contracts themselves. */
import { API_VERSION } from '@llama-orch/contracts';
import { responseExample, type JsonObject } from '../contract-examples.ts';
import { pactCase, type PactCase } from '../pact-case.ts';
import { situation } from '../situations.ts';
import { uuidOf } from '../../src/named-uuid.ts';

const EVENTS = responseExample('listEvents', '200') as JsonObject;

export const operationsCases: readonly PactCase[] = [
  pactCase({
    operationId: 'getCapabilities',
    status: '200',
    when: 'of a daemon that serves',
    situation: situation('every pool is ready'),
    answer: { api_version: API_VERSION },
    exact: ['/api_version'],
  }),
  pactCase({
    operationId: 'listEvents',
    status: '200',
    when: 'a page of them',
    situation: situation('a task that has ended', { task_id: uuidOf('in the ledger') }),
    query: { after: '0', limit: '1' },
    answer: {
      items: (EVENTS['items'] as readonly JsonObject[]).map(({ task_id: _, ...event }) => event),
    },
    exact: ['/next_after', '/items/0/seq'],
  }),
  pactCase({
    operationId: 'listEvents',
    status: '400',
    when: 'with a limit that is none',
    situation: situation('a daemon'),
    query: { limit: '0' },
    answer: { details: [{ path: 'limit', message: 'must be >= 1' }] },
    exact: ['/details/0/path'],
  }),
  pactCase({
    operationId: 'getLiveness',
    status: '200',
    when: 'of a process that answers',
    situation: situation('a daemon'),
  }),
  pactCase({
    operationId: 'getReadiness',
    status: '200',
    when: 'of a daemon that serves',
    situation: situation('every pool is ready'),
  }),
  pactCase({
    operationId: 'getReadiness',
    status: '503',
    when: 'of a daemon with a pool without engines',
    situation: situation('a pool without engines'),
  }),
  pactCase({
    operationId: 'getMetrics',
    status: '200',
    when: 'in the format of Prometheus',
    situation: situation('a daemon'),
    answerText: {
      type: 'text/plain; version=0.0.4; charset=utf-8',
      example: '# HELP queue_depth Tasks waiting.\n# TYPE queue_depth gauge\nqueue_depth 0\n',
      pattern: String.raw`^# HELP [a-z_]+ [^\n]+\n# TYPE [a-z_]+ (counter|gauge|histogram)\n[\s\S]*\n$`,
    },
  }),
  ...(['getDataContract', 'getControlContract', 'getPoolContract'] as const).map((operationId) =>
    pactCase({
      operationId,
      status: '200',
      when: 'as it stands',
      situation: situation('a daemon'),
      answerText: {
        type: 'application/yaml; charset=utf-8',
        example: '# A contract.\nopenapi: 3.1.0\ninfo: {}\n',
        pattern: String.raw`^#[\s\S]*\nopenapi: 3\.1\.0\n[\s\S]*\n$`,
      },
    }),
  ),
];
