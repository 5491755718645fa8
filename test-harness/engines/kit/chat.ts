/** The chat template of every simulated model. */
export const CHAT_TEMPLATE =
  '{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}<|assistant|>';

/** What `CHAT_TEMPLATE` renders. @throws TypeError when `messages` is no list of messages */
export function renderChat(messages: unknown): string {
  if (!Array.isArray(messages)) throw new TypeError("Field 'messages' must be an array");
  const lines = (messages as readonly { role?: unknown; content?: unknown }[]).map(
    ({ role, content }) => `<|${String(role)}|>${String(content)}\n`,
  );
  return `${lines.join('')}<|assistant|>`;
}
