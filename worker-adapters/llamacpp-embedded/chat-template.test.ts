import { expect, test } from 'vitest';
import { createChatTemplate } from './chat-template.ts';
import { createFakeModel } from './fake-token-model.ts';

const model = createFakeModel();
const render = (messages: unknown, over: object = {}) =>
  createChatTemplate({ ...model, ...over }).render({ messages });

test('messages are written with the model’s template', () => {
  expect(
    render([
      { role: 'user', content: 'hi' },
      { role: 'assistant', content: null },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ]),
  ).toBe('[user]hi[assistant][user]a\nb');
});

test('a begin token written by the template is left to the tokenizer', () => {
  const over = {
    addsBos: true,
    bosToken: '<s>',
    chatTemplate: '{{ bos_token }}{{ messages[0].content }}',
  };
  expect(render([{ role: 'user', content: 'hi' }], over)).toBe('hi');
});

test.each([
  [undefined],
  [[]],
  ['hi'],
  [[null]],
  [[{ content: 'x' }]],
  [[{ role: 'user', content: 5 }]],
  [[{ role: 'user', content: [{ type: 'image_url' }] }]],
])('OC-EMBED-4141 %j are no messages', (messages) => {
  expect(() => render(messages)).toThrow(
    expect.objectContaining({ type: 'invalid_request_error' }),
  );
});

test('what the template itself refuses is the caller’s error', () => {
  const over = { chatTemplate: "{{ raise_exception('roles must alternate') }}" };
  expect(() => render([{ role: 'user', content: 'x' }], over)).toThrow(
    expect.objectContaining({ type: 'invalid_request_error' }),
  );
});

test('a model without a template says so', () => {
  expect(() => render([{ role: 'user', content: 'x' }], { chatTemplate: undefined })).toThrow(
    expect.objectContaining({ type: 'not_supported_error' }),
  );
});
