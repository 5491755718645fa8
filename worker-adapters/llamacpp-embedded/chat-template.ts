import { compileChatTemplate } from '../api/chat-template.ts';
import type { ChatRenderer } from '../api/chat-template.ts';
import type { ChatMessage } from '../api/types.ts';
import { field, invalid, type Body } from './body-fields.ts';
import { HttpFault } from './http-fault.ts';
import type { TokenModel } from './token-model.ts';

/** Renders chat messages with the model's own template, ready for the assistant to answer. */
export interface ChatTemplate {
  /** @throws HttpFault when the body holds no messages the template accepts. */
  render(body: Body): string;
}

export function createChatTemplate(model: TokenModel): ChatTemplate {
  let template: ChatRenderer | undefined;
  return {
    render(body) {
      if (model.chatTemplate === undefined) {
        throw new HttpFault('not_supported_error', 'this model has no chat template');
      }
      const messages = parseMessages(field(body, 'messages'));
      try {
        template ??= compileChatTemplate(model.chatTemplate);
        const answering = field(body, 'add_generation_prompt') !== false;
        return withoutBos(template.render(messages, model, answering), model);
      } catch (error) {
        // Templates refuse what they cannot write (raise_exception), which is the caller's to mend.
        throw Object.assign(invalid('the chat template does not accept these messages'), {
          cause: error,
        });
      }
    },
  };
}

/** Tokenizing the prompt adds the begin token; one written by the template would be a second. */
function withoutBos(prompt: string, { addsBos, bosToken }: TokenModel): string {
  return addsBos && bosToken !== '' && prompt.startsWith(bosToken)
    ? prompt.slice(bosToken.length)
    : prompt;
}

function parseMessages(value: unknown): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid("'messages' is required");
  return value.map((message: unknown) => {
    if (typeof message !== 'object' || message === null) throw invalid('a message is no object');
    const { role, content } = message as Record<string, unknown>;
    if (typeof role !== 'string') throw invalid("a message's 'role' must be a string");
    return { role, content: parseContent(content) };
  });
}

/** Text, or typed parts that are all text: joined by line breaks, as llama-server does. */
function parseContent(content: unknown): string {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return '';
  if (!Array.isArray(content)) throw invalid("a message's 'content' must be text");
  return content
    .map((part: unknown) => {
      const { type, text } = (part ?? {}) as Record<string, unknown>;
      if (type !== 'text' || typeof text !== 'string') {
        throw invalid("a message's 'content' parts must be of type text");
      }
      return text;
    })
    .join('\n');
}
