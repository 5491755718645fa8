/** OC-ADAPT-5004: what llama-server refuses, and what may be done about it. */
import { EngineError, openLlamaCpp } from '@llama-orch/worker-adapters';
import { failureOf } from '@llama-orch/worker-adapters/conformance';
import { expect, inject, test } from 'vitest';
import { startRealServer } from '../llama-server/launch.ts';
import { generate, PATIENT, requestOf } from './completion.ts';
import { CTX, serveAll } from './server-fixture.ts';

const all = serveAll();

const faultOf = async (submitted: Promise<unknown>) => {
  const failure = await failureOf(submitted);
  expect(failure).toBeInstanceOf(EngineError);
  return failure as EngineError;
};

test('OC-ADAPT-5004 a prompt longer than the context is permanent, and names both figures', async () => {
  const prompt = 'secret '.repeat(2 * CTX);
  const error = await faultOf(generate(all.adapter, requestOf({ prompt })));
  expect(error).toMatchObject({ fault: 'permanent', status: 400 });
  expect(error.message).toContain(`the context ${CTX}`);
  expect(error.message).not.toContain('secret');
});

test('OC-ADAPT-5004 a grammar that is none is permanent, and the server lives on', async () => {
  const error = await faultOf(generate(all.adapter, requestOf({}, { grammar: 'root ::= (' })));
  expect(error).toMatchObject({ fault: 'permanent', status: 400 });
  await generate(all.adapter, requestOf());
});

test('OC-ADAPT-5004 a prompt that is not well-formed is sent mended', async () => {
  const { result } = await generate(
    all.adapter,
    requestOf({ prompt: 'lone \ud800', maxTokens: 2 }),
  );
  expect(result.tokensOut).toBe(2);
});

test('OC-ADAPT-5004 a wrong key is broken, a right one serves', async () => {
  await using guarded = await startRealServer(inject('llamaServer'), {
    flags: ['--api-key', 'right'],
  });
  const withKey = (apiKey: string) =>
    openLlamaCpp({ url: guarded.url, timeouts: PATIENT, maxStreams: 1, apiKey });
  await using wrong = withKey('wrong');
  await using right = withKey('right');
  expect((await faultOf(generate(wrong, requestOf()))).fault).toBe('broken');
  expect((await generate(right, requestOf())).result.finishReason).toBe('stop');
});
