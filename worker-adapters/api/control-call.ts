import type { Dispatcher } from 'undici';
import type { AnswerHeaders } from './retry-after.ts';
import { transportFault } from './transport-fault.ts';
import { EngineError } from './types.ts';
import type { EngineName } from './types.ts';

export interface ControlCall {
  readonly engine: EngineName;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON when given. */
  readonly body?: object;
  /** No other call is to follow soon: the connection is closed with the answer. */
  readonly once?: boolean | undefined;
  /** Bound on the whole call, connecting included, ms. */
  readonly timeoutMs: number;
  /** Bound of the answer, bytes. */
  readonly maxBytes: number;
  /** What a longer answer is: the engine's `garbage`, or more than the caller should have asked for. */
  readonly oversize: 'garbage' | 'permanent';
  readonly signal?: AbortSignal | undefined;
}

export interface ControlAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly text: string;
}

/**
 * One short request to an engine, answered whole. Any HTTP status is an answer; only a failed
 * exchange throws.
 * @throws EngineError `timeout`, `broken` or as `oversize` says; the signal's reason when it aborts first
 */
export function callEngine(dispatcher: Dispatcher, call: ControlCall): Promise<ControlAnswer> {
  const { engine, signal } = call;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    let controller: Dispatcher.DispatchController | undefined;
    let stopped: Error | undefined;
    let status = 0;
    let headers: AnswerHeaders = {};
    const chunks: Buffer[] = [];
    let bytes = 0;

    const release = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    // undici gives the controller only once a connection is up: a call stopped earlier is answered
    // at once and taken down when the connection arrives.
    const stop = (reason: unknown) => {
      release();
      stopped = reason instanceof Error ? reason : new Error('call aborted', { cause: reason });
      controller?.abort(stopped);
      reject(reason);
    };
    const onAbort = () => stop(signal?.reason);
    const timer = setTimeout(
      () => stop(new EngineError('timeout', engine, `no answer within ${call.timeoutMs} ms`)),
      call.timeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });

    dispatcher.dispatch(
      {
        method: call.method,
        path: call.path,
        headers: call.headers,
        body: call.body === undefined ? null : JSON.stringify(call.body),
        headersTimeout: 0,
        bodyTimeout: 0,
        reset: call.once === true,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (stopped !== undefined) started.abort(stopped);
        },
        onResponseStart(_controller, statusCode, answerHeaders) {
          status = statusCode;
          headers = answerHeaders;
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
          bytes += chunk.length;
          if (bytes > call.maxBytes) {
            stop(
              new EngineError(
                call.oversize,
                engine,
                `an answer of more than ${call.maxBytes} bytes`,
              ),
            );
          }
        },
        onResponseEnd() {
          release();
          resolve({ status, headers, text: Buffer.concat(chunks).toString('utf8') });
        },
        onResponseError(_controller, error) {
          release();
          reject(transportFault(engine, error));
        },
      },
    );
  });
}
