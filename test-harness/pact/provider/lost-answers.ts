/**
 * Loaded into a daemon before itself (`--import`): the answer to one kind of request is lost where Node
 * would write it, as when memory or a socket fails there. All code of the daemon is its own, and what it
 * makes of the failure is what it would make of any that it did not foresee.
 */
import { ServerResponse } from 'node:http';
import { LOST_ANSWER_ID } from '../situations.ts';

type Answer = ServerResponse & { readonly req?: { readonly headers: Record<string, unknown> } };

// An error's answer still goes out.
const isLost = (answer: Answer, status: number): boolean =>
  status < 400 && answer.req?.headers['x-correlation-id'] === LOST_ANSWER_ID;

/* eslint-disable @typescript-eslint/unbound-method -- they are called on the answer below */
const { end, writeHead } = ServerResponse.prototype;
/* eslint-enable @typescript-eslint/unbound-method */

ServerResponse.prototype.end = function (this: Answer, ...args: unknown[]) {
  if (!this.headersSent && isLost(this, this.statusCode)) throw new Error('the answer was lost');
  return Reflect.apply(end, this, args) as Answer;
};

ServerResponse.prototype.writeHead = function (this: Answer, status: number, ...args: unknown[]) {
  if (isLost(this, status)) throw new Error('the answer was lost');
  return Reflect.apply(writeHead, this, [status, ...args]) as Answer;
};
