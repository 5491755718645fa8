import { expect, test } from 'vitest';
import { requestOf } from '../api/conformance-kit.ts';
import type { TextRequest } from '../api/conformance-kit.ts';
import { toCompletionBody } from './completion-request.ts';

const bodyText = (request: TextRequest, exactPrefixReuse: boolean) =>
  toCompletionBody(request, request.prompt, { exactPrefixReuse });
const bodyOf = (change: Partial<TextRequest>, exactPrefixReuse = false) =>
  JSON.parse(bodyText(requestOf(change), exactPrefixReuse)) as Record<string, unknown>;

test('ORCH-3058 OC-ADAPT-5010 every sampler is named, those the contract lacks are switched off', () => {
  expect(bodyOf({})).toMatchInlineSnapshot(`
    {
      "cache_prompt": false,
      "dry_multiplier": 0,
      "dynatemp_range": 0,
      "frequency_penalty": 0,
      "id_slot": -1,
      "ignore_eos": false,
      "min_p": 0.05,
      "mirostat": 0,
      "n_keep": 0,
      "n_predict": 12,
      "n_probs": 0,
      "presence_penalty": 0,
      "prompt": "Write a haiku about the-quick-brown-secret.",
      "repeat_last_n": 0,
      "repeat_penalty": 1,
      "return_progress": false,
      "return_tokens": false,
      "samplers": [
        "top_k",
        "top_p",
        "min_p",
        "temperature",
      ],
      "seed": 42,
      "stop": [],
      "stream": true,
      "temperature": 0.8,
      "timings_per_token": false,
      "top_k": 40,
      "top_p": 0.95,
      "typical_p": 1,
      "xtc_probability": 0,
    }
  `);
});

test('no bound on tokens is n_predict -1', () => {
  expect(bodyOf({ maxTokens: undefined })['n_predict']).toBe(-1);
});

test.each([
  { deterministic: true, reuseKv: true, exact: false, cachePrompt: false },
  { deterministic: true, reuseKv: true, exact: true, cachePrompt: true },
  { deterministic: false, reuseKv: true, exact: false, cachePrompt: true },
  { deterministic: true, reuseKv: false, exact: true, cachePrompt: false },
  { deterministic: false, reuseKv: false, exact: true, cachePrompt: false },
])('OC-ADAPT-5014 cache_prompt: $cachePrompt for %o', ({ exact, cachePrompt, ...change }) => {
  expect(bodyOf(change, exact)['cache_prompt']).toBe(cachePrompt);
});

test('a grammar wins over a schema, and only one is sent', () => {
  const { sampling } = requestOf();
  const schema = { type: 'object' };
  const both = bodyOf({ sampling: { ...sampling, grammar: 'root ::= "a"', jsonSchema: schema } });
  expect(both).toMatchObject({ grammar: 'root ::= "a"' });
  expect(both).not.toHaveProperty('json_schema');
  const one = bodyOf({ sampling: { ...sampling, jsonSchema: schema } });
  expect(one).toMatchObject({ json_schema: schema });
  expect(one).not.toHaveProperty('grammar');
});

test('a lone surrogate becomes the replacement character', () => {
  const { sampling } = requestOf();
  const body = bodyOf({ prompt: 'a\ud800', sampling: { ...sampling, stop: ['\udc00'] } });
  expect(body).toMatchObject({ prompt: 'a\ufffd', stop: ['\ufffd'] });
});
