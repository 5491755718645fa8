/**
 * Stands between the daemon and an engine for one task, to learn the very bytes that the daemon asks
 * the engine with: calling the engine directly with another body would compare two different things.
 */
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordingRelay extends AsyncDisposable {
  readonly url: string;
  /** The body of the last POST /completion. @throws Error when there was none */
  lastCompletion(): string;
}

export async function startRecordingRelay(engineUrl: string): Promise<RecordingRelay> {
  let completion: string | undefined;
  const server = createServer((req, res) => {
    void bodyOf(req).then((body) => {
      if (req.url === '/completion') completion = body.toString('utf8');
      const { method = 'GET', url = '/', headers } = req;
      const onward = request(new URL(url, engineUrl), { method, headers }, (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(res);
      });
      onward.on('error', (error) => res.destroy(error));
      res.on('close', () => onward.destroy());
      onward.end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    lastCompletion() {
      if (completion === undefined) throw new Error('the engine was asked for no completion');
      return completion;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
