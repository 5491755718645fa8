/**
 * What a durable POST costs at the very least with the parts this project is made of: a bare Express
 * route, the contract's validator and the group-committing ledger, and nothing else: no queue, no
 * metrics, no log lines, no limits. The distance to it is what the daemon itself costs.
 *
 *     node ceiling-server.ts LEDGER_FILE
 */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { validateTaskRequest } from '@llama-orch/contracts';
import { openLedger } from '@llama-orch/orchestratord/ledger';
import express from 'express';

const path = process.argv[2];
if (path === undefined) throw new Error('usage: node ceiling-server.ts LEDGER_FILE');

const ledger = await openLedger({ path });
const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(express.json());
app.post('/v1/tasks', async (req, res) => {
  const request = validateTaskRequest(req.body);
  if (!request.ok) {
    res.status(400).json({ details: request.details });
    return;
  }
  const taskId = randomUUID();
  const event = { type: 'task.accepted', taskId, request: request.value };
  const data = JSON.stringify(event);
  await ledger.write({ events: [{ v: 1, type: event.type, atMs: Date.now(), taskId, data }] });
  res.status(202).json({ task_id: taskId, stream_url: `/v1/tasks/${taskId}/stream` });
});

const server = app.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`ready on http://127.0.0.1:${port}`);
});
process.on('SIGTERM', () => {
  void ledger.close().then(() => process.exit(0));
});
