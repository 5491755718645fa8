/**
 * Stands before an engine and notes when each completion runs there, by its prompt: from the moment the
 * engine is asked until it has answered or lost its caller. So what ran twice at once is seen, whoever
 * asked, and wherever.
 */
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';

export interface RecordedRun {
  readonly prompt: string;
  readonly engine: string;
  readonly fromMs: number;
  /** Undefined while it runs. */
  toMs: number | undefined;
}

export class RunRecorder implements AsyncDisposable {
  readonly runs: RecordedRun[] = [];
  readonly #servers: Server[] = [];

  /** An address that serves what the engine serves. */
  async before(engineUrl: string, name: string): Promise<string> {
    const server = createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const body = Buffer.concat(chunks);
        if (req.url === '/completion') this.#note(body, name, res);
        const { method = 'GET', url = '/', headers } = req;
        const onward = request(new URL(url, engineUrl), { method, headers }, (answer) => {
          res.writeHead(answer.statusCode ?? 502, answer.headers);
          res.flushHeaders();
          answer.pipe(res);
        });
        onward.on('error', () => res.destroy());
        res.on('close', () => onward.destroy());
        onward.end(body);
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Pairs of runs of one prompt that overlap, in words. */
  overlaps(): readonly string[] {
    const byPrompt = Map.groupBy(this.runs, ({ prompt }) => prompt);
    return [...byPrompt.values()].flatMap((runs) => {
      const sorted = runs.toSorted((a, b) => a.fromMs - b.fromMs);
      return sorted.slice(1).flatMap((run, n) => {
        const before = sorted[n];
        if (before === undefined || (before.toMs ?? Infinity) <= run.fromMs) return [];
        const byMs = Math.round((before.toMs ?? performance.now()) - run.fromMs);
        return `${run.prompt}: on ${before.engine} and ${run.engine} at once, for ${byMs} ms`;
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
  }

  #note(body: Buffer, engine: string, res: NodeJS.EventEmitter): void {
    const { prompt } = JSON.parse(body.toString('utf8')) as { readonly prompt: string };
    const run: RecordedRun = { prompt, engine, fromMs: performance.now(), toMs: undefined };
    this.runs.push(run);
    res.once('close', () => (run.toMs = performance.now()));
  }
}
