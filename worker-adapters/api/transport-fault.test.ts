import { errors } from 'undici';
import { expect, test } from 'vitest';
import { transportFault } from './transport-fault.ts';
import { EngineError } from './types.ts';

const withCode = (code: string) => Object.assign(new Error('from the socket'), { code });

test.each([
  [new errors.ConnectTimeoutError(), 'timeout'],
  [new errors.HeadersTimeoutError(), 'timeout'],
  [new errors.BodyTimeoutError(), 'timeout'],
  [new errors.HeadersOverflowError(), 'garbage'],
  [new errors.ResponseExceededMaxSizeError(), 'garbage'],
  [new errors.SocketError('other side closed'), 'broken'],
  [new errors.ClientDestroyedError(), 'broken'],
  [withCode('ECONNREFUSED'), 'broken'],
  [withCode('ECONNRESET'), 'broken'],
  [new AggregateError([withCode('ECONNREFUSED'), withCode('ECONNREFUSED')]), 'broken'],
  ['not even an error', 'broken'],
])('OC-ADAPT-5004 %s is %s', (error, fault) => {
  expect(transportFault('llamacpp', error)).toMatchObject({ fault, cause: error });
});

test('a fault that already has its name keeps it', () => {
  const fault = new EngineError('busy', 'llamacpp', 'full');
  expect(transportFault('llamacpp', fault)).toBe(fault);
});

test('OC-ADAPT-5013 the bytes that were no HTTP are not handed on', () => {
  const error = Object.assign(new errors.HTTPParserError('bad'), { data: 'output text' });
  const fault = transportFault('llamacpp', error);
  expect(fault.fault).toBe('garbage');
  expect(fault.cause).toBeUndefined();
});
