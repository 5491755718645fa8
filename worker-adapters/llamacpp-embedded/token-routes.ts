import { booleanField, field, textField, tokenList, type Body } from './body-fields.ts';
import type { EngineContext } from './engine-context.ts';

/**
 * `POST /tokenize`. With `with_pieces`, bytes that are no text on their own come as U+FFFD (llama-server
 * gives a byte list; node-llama-cpp hands out text only).
 */
export function tokenizeObject({ model }: EngineContext, body: Body): object {
  const tokens = model.tokenize(textField(body, 'content'), {
    addSpecial: booleanField(body, 'add_special', false),
    parseSpecial: booleanField(body, 'parse_special', true),
  });
  if (!booleanField(body, 'with_pieces', false)) return { tokens };
  return { tokens: tokens.map((id) => ({ id, piece: model.render([id]) })) };
}

/** `POST /detokenize` */
export function detokenizeObject({ model }: EngineContext, body: Body): object {
  return {
    content: model.render(tokenList(field(body, 'tokens') ?? [], 'tokens', model.vocabSize)),
  };
}
