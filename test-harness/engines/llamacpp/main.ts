import process from 'node:process';
import { parseArgs } from 'node:util';
import { DEFAULT_SIM_OPTIONS, parseFault } from './options.ts';
import { startLlamaCppSim } from './sim.ts';

const USAGE = `node test-harness/engines/llamacpp/main.ts [--host H] [--port N] [--slots N] [--ctx N]
  [--tokens N] [--token-delay-ms N] [--tokens-per-write N] [--split-bytes N] [--comment-every N]
  [--loading-ms N] [--exact-prefix-reuse] [--fault '{"kind":"stall","after_tokens":3}']`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    host: { type: 'string', default: DEFAULT_SIM_OPTIONS.host },
    port: { type: 'string', default: '0' },
    slots: { type: 'string', default: String(DEFAULT_SIM_OPTIONS.slots) },
    ctx: { type: 'string', default: String(DEFAULT_SIM_OPTIONS.ctx) },
    tokens: { type: 'string', default: String(DEFAULT_SIM_OPTIONS.tokens) },
    'token-delay-ms': { type: 'string', default: '0' },
    'tokens-per-write': { type: 'string', default: '1' },
    'split-bytes': { type: 'string', default: '0' },
    'comment-every': { type: 'string', default: '0' },
    'loading-ms': { type: 'string', default: '0' },
    'exact-prefix-reuse': { type: 'boolean', default: false },
    fault: { type: 'string' },
  },
});

if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const sim = await startLlamaCppSim({
  host: values.host,
  port: Number(values.port),
  slots: Number(values.slots),
  ctx: Number(values.ctx),
  tokens: Number(values.tokens),
  tokenDelayMs: Number(values['token-delay-ms']),
  tokensPerWrite: Number(values['tokens-per-write']),
  splitBytes: Number(values['split-bytes']),
  commentEvery: Number(values['comment-every']),
  loadingMs: Number(values['loading-ms']),
  extraProps: values['exact-prefix-reuse'] ? { llama_orch: { exact_prefix_reuse: true } } : {},
  fault: values.fault === undefined ? undefined : parseFault(JSON.parse(values.fault)),
  onExit: (code) => process.exit(code),
});

let stopping = false;
const stop = () => {
  if (stopping) process.exit(1);
  stopping = true;
  void sim.drain().then(() => process.exit(0));
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

console.log(`listening on ${sim.url}`);
