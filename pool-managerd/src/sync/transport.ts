/** The way to orchestratord: one HTTP call per sync, each on a clock of its own. */
import type { ErrorEnvelope, HostSync, HostSyncAnswer } from '@llama-orch/contracts';
import { validateHostSyncAnswer } from '@llama-orch/contracts';
import { Pool } from 'undici';

/** @throws SyncRefused, or Error when no answer came */
export interface SyncTransport {
  sync(body: HostSync, signal: AbortSignal): Promise<HostSyncAnswer>;
  /** Takes leave. */
  leave(instanceId: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** orchestratord answered, and said no. The message says what to do about it. */
export class SyncRefused extends Error {
  override readonly name = 'SyncRefused';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface HttpTransportOptions {
  readonly url: string;
  readonly hostId: string;
  /** Undefined where orchestratord asks for none. */
  readonly key: string | undefined;
}

/** Syncs in flight: one that is held, and one with news. */
const CONNECTIONS = 2;
const CONNECT_MS = 1_000;
/** More than an answer can be. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export function createHttpTransport({ url, hostId, key }: HttpTransportOptions): SyncTransport {
  const pool = new Pool(url, {
    connections: CONNECTIONS,
    connectTimeout: CONNECT_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  const headers = {
    'content-type': 'application/json',
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  const path = `/v1/hosts/${hostId}`;
  return {
    async sync(body, signal) {
      const answer = await pool.request({
        method: 'POST',
        path: `${path}/sync`,
        headers,
        body: JSON.stringify(body),
        signal,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw refused(answer.statusCode, text);
      const checked = validateHostSyncAnswer(parsed(text));
      if (checked.ok) return checked.value;
      const [fault] = checked.details;
      throw new SyncRefused('', `its answer is none: ${fault?.path ?? ''} ${fault?.message ?? ''}`);
    },
    async leave(instanceId, signal) {
      const answer = await pool.request({
        method: 'DELETE',
        path: `${path}?instance_id=${instanceId}`,
        headers,
        signal,
      });
      await answer.body.dump();
    },
    close: () => pool.destroy(),
  };
}

function refused(status: number, text: string): SyncRefused {
  const { code = '', message = '' } = (parsed(text) ?? {}) as Partial<ErrorEnvelope>;
  return new SyncRefused(code, message === '' ? `it answered ${status}` : message);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
