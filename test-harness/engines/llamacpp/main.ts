import { runSimulator } from '../kit/command-line.ts';
import { startLlamaCppSim } from './sim.ts';

await runSimulator({
  name: 'node test-harness/engines/llamacpp/main.ts',
  flags: { 'exact-prefix-reuse': { type: 'boolean', default: false } },
  usage: ' [--exact-prefix-reuse]',
  start: (options, flags) =>
    startLlamaCppSim({
      ...options,
      extraProps:
        flags['exact-prefix-reuse'] === true ? { llama_orch: { exact_prefix_reuse: true } } : {},
    }),
});
