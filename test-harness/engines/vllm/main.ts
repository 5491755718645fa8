import { runSimulator } from '../kit/command-line.ts';
import { startVllmSim } from './sim.ts';

await runSimulator({
  name: 'node test-harness/engines/vllm/main.ts',
  flags: { 'no-prompt-tokens-details': { type: 'boolean', default: false } },
  usage: ' [--no-prompt-tokens-details]',
  start: (options, flags) =>
    startVllmSim({ ...options, promptTokensDetails: flags['no-prompt-tokens-details'] !== true }),
});
