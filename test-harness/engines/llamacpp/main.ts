import { runSimulator } from '../kit/command-line.ts';
import { startLlamaCppSim } from './sim.ts';

await runSimulator({
  name: 'node test-harness/engines/llamacpp/main.ts',
  flags: {
    'exact-prefix-reuse': { type: 'boolean', default: false },
    'slot-save-path': { type: 'string' },
  },
  usage: ' [--exact-prefix-reuse] [--slot-save-path DIR]',
  start: (options, flags) =>
    startLlamaCppSim({
      ...options,
      slotSavePath: stringOf(flags['slot-save-path']),
      extraProps:
        flags['exact-prefix-reuse'] === true ? { llama_orch: { exact_prefix_reuse: true } } : {},
    }),
});

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
