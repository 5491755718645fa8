import { runSimulator } from '../kit/command-line.ts';
import { parseFlavor, SIM_FLAVORS } from './flavors.ts';
import { startOpenAiSim } from './sim.ts';

await runSimulator({
  name: 'node test-harness/engines/openai/main.ts',
  flags: {
    flavor: { type: 'string', default: 'generic' },
    'chat-only': { type: 'boolean', default: false },
    reasoning: { type: 'string', default: '0' },
  },
  usage: ` [--flavor ${SIM_FLAVORS.join('|')}] [--chat-only] [--reasoning N]`,
  start: (options, flags) =>
    startOpenAiSim({
      ...options,
      flavor: parseFlavor(flags['flavor']),
      textRoute: flags['chat-only'] !== true,
      reasoning: Number(flags['reasoning']),
    }),
});
