/**
 * A keep-alive HTTP/1.1 client connection that does next to nothing: the machine's cores are shared
 * between this side and what is measured. It writes bytes made beforehand and looks only for the
 * status and for the end of the answer. Good for the servers of this house, not for the open world.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RequestSpec {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly accept?: string;
  /** API key, where the server asks for one. */
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The bytes of a request, to be sent any number of times. */
export function encodeRequest(spec: RequestSpec): Buffer {
  const { method, path, body = '', accept = '*/*', key, headers = {} } = spec;
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', `accept: ${accept}`];
  if (key !== undefined) lines.push(`authorization: Bearer ${key}`);
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== '') {
    lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface StreamAnswer {
  readonly status: number;
  /** From sending to the read that held the first marker, ms; NaN when there was none. */
  readonly firstMs: number;
  /** Likewise for the last marker. */
  readonly lastMs: number;
  readonly endMs: number;
  /** The last characters of the answer, chunk framing included. */
  readonly tail: string;
}

/** Ends a chunked body. Lines of an event stream end in LF, so it cannot stand inside one. */
const LAST_CHUNK = Buffer.from('\r\n0\r\n\r\n');
const HEADER_END = '\r\n\r\n';
/** At least this much of the end of a stream is kept: enough for its last event. */
const TAIL_BYTES = 8_192;

export class Connection {
  readonly #socket: Socket;
  #onData: (chunk: Buffer) => void = () => undefined;
  #onLost: (error: Error) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', (error) => this.#onLost(error));
    socket.on('close', () => this.#onLost(new Error('the server closed the connection')));
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket);
  }

  close(): void {
    this.#onLost = () => undefined;
    this.#socket.destroy();
  }

  /** Sends a request whose answer names its length. */
  exchange(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let text = '';
      this.#onLost = reject;
      this.#onData = (chunk) => {
        text += chunk.toString('latin1');
        const head = text.indexOf(HEADER_END);
        if (head < 0) return;
        const length = /content-length: *(\d+)/i.exec(text.slice(0, head))?.[1] ?? '0';
        const body = text.slice(head + HEADER_END.length);
        if (body.length >= Number(length)) resolve({ status: statusOf(text), body });
      };
      this.#socket.write(request);
    });
  }

  /**
   * Sends a request that is answered by an event stream, and reads it to its end.
   * @param marker what the reads are searched for
   * @param everyRead search all reads for the last marker; false stops at the first, which is cheaper
   */
  stream(request: Buffer, marker: string, everyRead: boolean): Promise<StreamAnswer> {
    return new Promise((resolve, reject) => {
      const startedAt = performance.now();
      let status = 0;
      let firstMs = NaN;
      let lastMs = NaN;
      const tail = new Tail();
      this.#onLost = reject;
      this.#onData = (chunk) => {
        if (status === 0) status = statusOf(chunk.toString('latin1', 0, 16));
        if ((everyRead || Number.isNaN(firstMs)) && chunk.includes(marker)) {
          lastMs = performance.now() - startedAt;
          if (Number.isNaN(firstMs)) firstMs = lastMs;
        }
        tail.push(chunk);
        if (status === 200 && !tail.endsWith(LAST_CHUNK)) return;
        const endMs = performance.now() - startedAt;
        resolve({ status, firstMs, lastMs, endMs, tail: tail.text() });
      };
      this.#socket.write(request);
    });
  }

  /** Sends a request and resolves at the first read of its answer that holds `marker`; reads on. */
  open(request: Buffer, marker: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onLost = reject;
      this.#onData = (chunk) => {
        if (chunk.includes(marker)) resolve();
      };
      this.#socket.write(request);
    });
  }
}

function statusOf(head: string): number {
  return Number(head.slice(9, 12));
}

/** The last reads of a stream, kept without copying. */
class Tail {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    for (
      let oldest = this.#chunks[0];
      oldest !== undefined && this.#bytes - oldest.length >= TAIL_BYTES;
      oldest = this.#chunks[0]
    ) {
      this.#chunks.shift();
      this.#bytes -= oldest.length;
    }
  }

  endsWith(end: Buffer): boolean {
    const last = this.#chunks.at(-1);
    const bytes = last !== undefined && last.length >= end.length ? last : this.#joined();
    return bytes.length >= end.length && bytes.subarray(-end.length).equals(end);
  }

  text(): string {
    return this.#joined().toString('utf8');
  }

  #joined(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** One request on a connection of its own. @throws Error for an answer other than 2xx */
export async function fetchOnce(url: string, request: RequestSpec): Promise<string> {
  const connection = await Connection.open(url);
  try {
    const { status, body } = await connection.exchange(encodeRequest(request));
    if (status < 200 || status > 299)
      throw new Error(`${request.path} answered ${status}: ${body}`);
    return body;
  } finally {
    connection.close();
  }
}
