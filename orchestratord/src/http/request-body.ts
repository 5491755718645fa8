/**
 * When a body is read, and what becomes of one that is not (OC-CTRL-2042). Routes that take a body read
 * it behind their checks; nothing else ever does.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { OrchError } from '@llama-orch/contracts';
import express, { type RequestHandler } from 'express';

/** Node discards an unread body so that the connection can be kept; for more than this it is not kept. */
const MAX_DISCARDED_BYTES = 65_536;
/** Round trips a client has to receive its refusal, ms. */
const LINGER_MS = 500;
/** A client whose body is too large has to send the rest of it, ms, if it reads no answer before. */
const REST_MS = 5_000;

/**
 * Reads the body's bytes into `req.body`. A length that is announced is judged before anything is read:
 * express reads a body that is too large to its end before it says so.
 */
export function readBody(limitBytes: number): RequestHandler {
  const read = express.raw({ type: () => true, limit: limitBytes });
  return (req, res, next) => {
    if (Number(req.headers['content-length'] ?? 0) > limitBytes) throw payloadTooLarge(limitBytes);
    if (req.headers.expect !== undefined) res.writeContinue();
    read(req, res, next);
  };
}

export function payloadTooLarge(limitBytes: number | undefined, cause?: unknown): OrchError {
  const message =
    limitBytes === undefined
      ? 'the body is too large'
      : `the body is larger than ${limitBytes} bytes`;
  return new OrchError('PAYLOAD_TOO_LARGE', message, cause === undefined ? {} : { cause });
}

/**
 * Answers while the body is on its way, and takes and throws away the rest: many clients read no answer before
 * they have sent everything. All of the answer is sent at once; it is ended with the body, because Node closes a
 * connection that is not to be kept when an answer ends.
 */
export function answerBeforeBody(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  answer: object,
): void {
  const bytes = Buffer.from(JSON.stringify(answer));
  res.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
  });
  res.write(bytes);
  const timer = setTimeout(() => req.socket.destroy(), REST_MS);
  req.once('end', () => res.end());
  req.once('close', () => clearTimeout(timer));
  req.resume();
}

/** Whether the body is still to come, without having been asked for. */
export function isOnItsWay({ complete, headers }: IncomingMessage): boolean {
  return !complete && headers.expect === undefined;
}

/** To be called before a refusal is sent: sees to it that the connection ends with it, if it has to. */
export function refuseUnreadBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.complete) return;
  if (req.headers.expect !== undefined) {
    // Who waits for a 100 may send no body at all: its next request would be taken for the body.
    res.setHeader('Connection', 'close');
  } else if (isTooMuchToDiscard(req)) {
    res.once('finish', () => hangUp(req.socket));
  }
}

function isTooMuchToDiscard({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  if (length === undefined) return headers['transfer-encoding'] !== undefined;
  return Number(length) > MAX_DISCARDED_BYTES;
}

/**
 * Reads no more, says that the answer was all, and closes a moment later: closing while bytes are on their
 * way in would reset the connection, and the answer could be lost with it (RFC 9112, section 9.6).
 */
function hangUp(socket: Socket): void {
  socket.pause();
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}
