/**
 * The least a process between client and engine can do: take a POST, ask the engine, write its tokens
 * out as the daemon frames them. No queue, no ledger, no checks, no resume. What the daemon adds beyond
 * this is what its promises cost; what this adds is one more process on the way.
 *
 *     node bare-relay-server.ts ENGINE_URL FILE   (FILE holds the body to ask the engine with)
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

const [, , engineUrl, file] = process.argv;
if (engineUrl === undefined || file === undefined) {
  throw new Error('usage: node bare-relay-server.ts ENGINE_URL FILE');
}
const body = readFileSync(file, 'utf8');
const engine = new Pool(engineUrl, { connections: 4 });

interface Piece {
  readonly content: string;
  readonly stop: boolean;
}

const server = createServer((req, res) => {
  req.resume().on('end', () => {
    const decoder = new TextDecoder();
    let rest = '';
    let id = 0;
    engine.dispatch(
      {
        method: 'POST',
        path: '/completion',
        headers: { 'content-type': 'application/json' },
        body,
      },
      {
        onRequestStart() {},
        onResponseStart() {
          res.writeHead(200, { 'content-type': 'text/event-stream' });
        },
        onResponseData(_controller, chunk) {
          const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
          rest = blocks.pop() ?? '';
          let frames = '';
          for (const block of blocks) {
            const { content, stop } = JSON.parse(block.slice('data: '.length)) as Piece;
            const data = JSON.stringify({ t: content, i: id });
            id += 1;
            frames += `id: ${id}\nevent: ${stop ? 'end' : 'token'}\ndata: ${data}\n\n`;
          }
          if (frames !== '') res.write(frames);
        },
        onResponseEnd() {
          res.end(`: "finish_reason":"stop","tokens_out":${id - 1}\n\n`);
        },
        onResponseError(_controller, error) {
          res.destroy(error);
        },
      },
    );
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`ready on http://127.0.0.1:${port}`);
});
