/** The llama.cpp adapter on a real llama-server: every test of the conformance suite that needs no fault. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLlamaCpp } from '@llama-orch/worker-adapters';
import { describeEngine } from '@llama-orch/worker-adapters/conformance';
import type { EngineSetup, TestEngine, TextRequest } from '@llama-orch/worker-adapters/conformance';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { LLAMACPP } from '../engines/llamacpp/subject.ts';
import { startRealServer } from '../llama-server/launch.ts';
import { completeNatively, slotsOf } from './completion.ts';

const ENDLESS = 'root ::= [a-z ] root';
/** The longest context that the model was trained for: an endless text takes a while to fill it. */
const LONG_CTX = 2048;

const kvFolder = mkdtempSync(join(tmpdir(), 'llama-orch-kv-'));
afterAll(() => rmSync(kvFolder, { recursive: true, force: true }));

/** As the template of tiny-haiku renders messages: whoever is not the assistant is the user. */
function render(messages: readonly { readonly role: string; readonly content: string }[]): string {
  const turns = messages.map(({ role, content }) => {
    const speaker = role === 'assistant' ? 'assistant' : 'user';
    return `<|${speaker}|>${content}<|end|>`;
  });
  return `${turns.join('')}<|assistant|>`;
}

/** Text that is nobody's turn the model ends at once. */
function toTurn(prompt: string): string {
  return prompt.startsWith('<|user|>') ? prompt : render([{ role: 'user', content: prompt }]);
}

async function start({ slots = 4, endless = false, ctx }: EngineSetup): Promise<TestEngine> {
  const server = await startRealServer(inject('llamaServer'), {
    slots,
    ctx: ctx ?? (endless ? LONG_CTX : 1024),
    flags: ['--slot-save-path', `${kvFolder}/`],
  });
  const shape = (request: TextRequest): TextRequest => ({
    ...request,
    prompt: toTurn(request.prompt),
    sampling: { ...request.sampling, grammar: endless ? ENDLESS : undefined },
  });
  return {
    url: server.url,
    shape,
    render,
    /** Without a stream, and not through the adapter. */
    answer: async ({ prompt, seed, maxTokens = -1, sampling: { grammar } }) => {
      const change = { prompt, seed, n_predict: maxTokens, grammar };
      const native = await completeNatively(server.url, change);
      return {
        text: native.content,
        tokensOut: native.tokens_predicted,
        finishReason: native.stop_type === 'limit' ? 'length' : 'stop',
      };
    },
    stats: async () => {
      const [slotViews, metrics] = await Promise.all([
        slotsOf(server.url),
        fetch(`${server.url}/metrics`).then((response) => response.text()),
      ]);
      const deferred = /^llamacpp:requests_deferred (\d+)/m.exec(metrics)?.[1];
      return {
        busySlots: slotViews.filter((slot) => slot.is_processing).length,
        deferred: Number(deferred),
      };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

describeEngine(
  'ORCH-3054 OC-TEST-7012 llamacpp on llama-server',
  { open: openLlamaCpp, start, traits: LLAMACPP.traits },
  { describe, test, expect },
);
