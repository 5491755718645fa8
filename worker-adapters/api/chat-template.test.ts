import { expect, test } from 'vitest';
import { compileChatTemplate } from './chat-template.ts';

const SOURCE =
  '{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}' +
  '{% if add_generation_prompt %}[assistant]{% endif %}';

test('messages are written with the tokens given, for the assistant to answer or not', () => {
  const template = compileChatTemplate(SOURCE);
  const messages = [{ role: 'user', content: 'naïve {{ x }} 古池' }];
  const tokens = { bosToken: '<s>', eosToken: '</s>' };
  expect(template.render(messages, tokens, true)).toBe(
    '<s>[user]naïve {{ x }} 古池</s>[assistant]',
  );
  expect(template.render(messages, { bosToken: '', eosToken: '' }, false)).toBe(
    '[user]naïve {{ x }} 古池',
  );
});

test('what is no template is told when it is compiled, what it refuses when it is rendered', () => {
  expect(() => compileChatTemplate('{% for %}')).toThrow();
  const refusing = compileChatTemplate("{{ raise_exception('roles must alternate') }}");
  expect(() => refusing.render([], { bosToken: '', eosToken: '' }, true)).toThrow();
});
