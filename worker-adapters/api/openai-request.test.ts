import { expect, test } from 'vitest';
import { requestOf } from './conformance-kit.ts';
import { openAiRoute, toOpenAiBody, toWellFormedMessages } from './openai-request.ts';
import type { EnginePrompt } from './types.ts';

const messages = [{ role: 'user', content: 'why?' }];
const bodyOf = (prompt: EnginePrompt, logprobs = 0, maxTokens: number | undefined = 12) => {
  const { sampling, ...base } = requestOf();
  const request = { ...base, prompt, maxTokens, sampling: { ...sampling, logprobs } };
  const body = toOpenAiBody(request, { model: 'm', chatMaxTokens: 'max_completion_tokens' });
  return { route: openAiRoute(request), body: JSON.parse(JSON.stringify(body)) as unknown };
};

test('ORCH-3058 OC-ADAPT-5010 text goes to completions with every field named', () => {
  expect(bodyOf('one', 3)).toEqual({
    route: '/v1/completions',
    body: {
      model: 'm',
      prompt: 'one',
      max_tokens: 12,
      n: 1,
      echo: false,
      stream: true,
      stream_options: { include_usage: true },
      seed: 42,
      temperature: 0.8,
      top_p: 0.95,
      presence_penalty: 0,
      frequency_penalty: 0,
      stop: [],
      logprobs: 3,
    },
  });
});

test('OC-ADAPT-5010 messages go to chat with every field named', () => {
  const { route, body } = bodyOf(messages, 3);
  expect(route).toBe('/v1/chat/completions');
  expect(body).toMatchObject({
    messages,
    max_completion_tokens: 12,
    logprobs: true,
    top_logprobs: 3,
    seed: 42,
    stop: [],
  });
  for (const key of ['prompt', 'max_tokens', 'echo']) expect(body).not.toHaveProperty(key);
});

test('probabilities are asked for only when they are wanted', () => {
  expect(bodyOf('one').body).not.toHaveProperty('logprobs');
  expect(bodyOf(messages).body).not.toHaveProperty('logprobs');
});

test('a lone surrogate becomes the replacement character', () => {
  expect(bodyOf('a\ud800').body).toMatchObject({ prompt: 'a\ufffd' });
  expect(toWellFormedMessages([{ role: 'user', content: '\udc00' }])).toEqual([
    { role: 'user', content: '\ufffd' },
  ]);
});
