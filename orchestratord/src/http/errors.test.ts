import { OrchError } from '@llama-orch/contracts';
import type { Request, Response } from 'express';
import { expect, test, vi } from 'vitest';
import { LedgerError } from '../ledger/ledger-error.ts';
import type { Logger } from '../logging.ts';
import { errorHandler, toEnvelope, toOrchError } from './errors.ts';

test('OC-CTRL-2031 what was not foreseen is INTERNAL, and tells the caller nothing of its cause', () => {
  for (const thrown of [new Error('secret of the disk'), 'secret', null, { status: 500 }]) {
    const fault = toOrchError(thrown);
    expect(toEnvelope(fault)).toEqual({
      code: 'INTERNAL',
      message: 'unexpected failure',
      retriable: false,
    });
    expect(fault.cause).toBe(thrown);
  }
});

test('a ledger that takes no writes is a reason to come back, without its own words', () => {
  const fault = toOrchError(new LedgerError('disk-full', 'secret of the disk'));
  expect(fault.status).toBe(503);
  expect(toEnvelope(fault)).toEqual({
    code: 'POOL_UNAVAILABLE',
    message: 'the ledger cannot take writes right now',
    retriable: true,
    retry_after_ms: 1_000,
  });
});

test.each([
  [{ status: 413, limit: 64 }, 413, 'PAYLOAD_TOO_LARGE', 'the body is larger than 64 bytes'],
  [{ status: 413 }, 413, 'PAYLOAD_TOO_LARGE', 'the body is too large'],
  [
    { status: 415, type: 'encoding.unsupported' },
    415,
    'INVALID_PARAMS',
    'the content-encoding is not supported',
  ],
  [
    { status: 400, type: 'request.aborted' },
    400,
    'INVALID_PARAMS',
    'the body ended before its announced length',
  ],
  [
    { status: 400, type: 'request.size.invalid' },
    400,
    'INVALID_PARAMS',
    'the body ended before its announced length',
  ],
  [{ status: 400, type: 'other' }, 400, 'INVALID_PARAMS', 'the request is malformed'],
  [{ status: 499, type: 7 }, 499, 'INVALID_PARAMS', 'the request is malformed'],
  [{ status: 400 }, 400, 'INVALID_PARAMS', 'the request is malformed'],
])(
  'what reading a body fails with is the fault of the request: %j',
  (error, status, kind, message) => {
    const thrown = Object.assign(new Error('secret of the parser'), error);
    expect(toOrchError(thrown)).toMatchObject({ status, kind, message });
  },
);

test.each([399, 500, '400'])(
  'a status of %j is nothing that a request is at fault for',
  (status) => {
    expect(toOrchError(Object.assign(new Error('thrown'), { status })).kind).toBe('INTERNAL');
  },
);

test('once a stream has begun a failure closes it, as there is nothing left to answer', () => {
  const error = vi.fn();
  const res = {
    headersSent: true,
    locals: {},
    getHeader: () => undefined,
    destroy: vi.fn(),
    status: vi.fn(),
  };
  const req = { method: 'GET', path: '/v1/tasks', headers: {} } as Request;
  const cause = new OrchError('NOT_FOUND', 'gone');
  errorHandler({ error } as unknown as Logger)(
    cause,
    req,
    res as unknown as Response,
    () => undefined,
  );
  expect(res.destroy).toHaveBeenCalledTimes(1);
  expect(res.status).not.toHaveBeenCalled();
  expect(error).not.toHaveBeenCalled();
});
