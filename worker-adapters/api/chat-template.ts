import { Template } from '@huggingface/jinja';
import type { ChatMessage } from './types.ts';

/** The tokens a template may write; '' where they are not known, or where tokenizing adds them. */
export interface TemplateTokens {
  readonly bosToken: string;
  readonly eosToken: string;
}

export interface ChatRenderer {
  /**
   * @param answering whether the text ends where the assistant begins to speak
   * @throws what the template raises for messages it cannot write
   */
  render(messages: readonly ChatMessage[], tokens: TemplateTokens, answering: boolean): string;
}

/**
 * Compiles a Jinja chat template of the Hugging Face kind (variables `messages`,
 * `add_generation_prompt`, `bos_token`, `eos_token`).
 * @throws when `source` is no template
 */
export function compileChatTemplate(source: string): ChatRenderer {
  const template = new Template(source);
  return {
    render: (messages, { bosToken, eosToken }, answering) =>
      template.render({
        messages,
        add_generation_prompt: answering,
        bos_token: bosToken,
        eos_token: eosToken,
      }),
  };
}
