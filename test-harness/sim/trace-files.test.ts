import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readTraceFile, TraceError } from './trace-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-traces-'));
afterAll(() => rmSync(folder, { recursive: true }));

function read(name: string, ...lines: readonly string[]) {
  const path = join(folder, name);
  writeFileSync(path, lines.join('\n'));
  return readTraceFile(path);
}

test('Azure: times of seven decimals count from the first row', () => {
  const { trace } = read(
    'azure.csv',
    'TIMESTAMP,ContextTokens,GeneratedTokens',
    '2023-11-16 18:17:03.9799600,4808,10',
    '2023-11-16 18:17:04.0319601,3180,8',
  );
  expect(trace).toMatchObject([
    { arrivalMs: 0, promptTokens: 4808, outputTokens: 10, blocks: [], priority: 'interactive' },
    { promptTokens: 3180, outputTokens: 8 },
  ]);
  expect(trace[1]?.arrivalMs).toBeCloseTo(52.0001, 3);
});

test('Mooncake: prefix blocks are kept', () => {
  const { trace } = read(
    'mooncake.jsonl',
    '{"timestamp": 0, "input_length": 900, "output_length": 5, "hash_ids": [0, 1]}',
    '{"timestamp": 3000, "input_length": 1400, "output_length": 7, "hash_ids": [0, 1, 2]}',
  );
  expect(trace[1]).toMatchObject({ arrivalMs: 3000, promptTokens: 1400, blocks: [0, 1, 2] });
});

test('arena: the client is the tenant', () => {
  const { trace } = read(
    'arena.csv',
    'arrival_s,client,prompt_tokens,output_tokens,fcfs_ttft_s',
    '1.5,13,13,199,1.1826',
    '2.0,2,36,137,1.5457',
  );
  expect(trace).toMatchObject([
    { arrivalMs: 0, tenant: '13', promptTokens: 13, outputTokens: 199 },
    { arrivalMs: 500, tenant: '2' },
  ]);
});

test('BurstGPT: failed calls are left out and counted', () => {
  const { trace, dropped } = read(
    'burst.csv',
    'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type',
    '5,ChatGPT,472,18,490,Conversation log',
    '45,ChatGPT,1087,0,1087,Conversation log',
  );
  expect(trace).toHaveLength(1);
  expect(dropped).toBe(1);
});

test('agent sessions: the session is the tenant, and rows come in order of time', () => {
  const { trace } = read(
    'agents.csv',
    'timestamp,benchmark,session,call_index,prompt_tokens,completion_tokens,n_messages,char_share',
    '2026-04-23T17:20:16.000000+00:00,b,s1,1,200,5,3,0.9',
    '2026-04-23T17:20:15.500000+00:00,b,s2,0,100,6,1,0',
  );
  expect(trace).toMatchObject([
    { arrivalMs: 0, tenant: 's2' },
    { arrivalMs: 500, tenant: 's1' },
  ]);
});

test('arXiv: lengths without times are batch work that is there from the start', () => {
  const { trace } = read('arxiv.csv', 'num_prefill_tokens,num_decode_tokens', '3772,54');
  expect(trace).toMatchObject([{ arrivalMs: 0, promptTokens: 3772, priority: 'batch' }]);
});

test.each([
  ['unknown.csv', ['a,b', '1,2'], 'no known trace has the columns a, b'],
  ['empty.csv', ['num_prefill_tokens,num_decode_tokens'], 'holds no requests'],
  ['broken.jsonl', ['{"timestamp": 0'], 'not JSON'],
  ['other.jsonl', ['{"prompt": "x"}'], 'without timestamp'],
])('%s is refused with its reason', (name, lines, reason) => {
  expect(() => read(name, ...lines)).toThrow(TraceError);
  expect(() => read(name, ...lines)).toThrow(reason);
});
