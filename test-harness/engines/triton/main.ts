import { runSimulator } from '../kit/command-line.ts';
import { BACKENDS } from './models.ts';
import { startTritonSim } from './sim.ts';

await runSimulator({
  name: 'node test-harness/engines/triton/main.ts',
  flags: {
    backend: { type: 'string', default: 'trtllm' },
    'metrics-port': { type: 'string' },
  },
  usage: `\n  [--backend ${BACKENDS.join('|')}] [--metrics-port N]`,
  start: (options, flags) => {
    const backend = BACKENDS.find((each) => each === flags['backend']);
    if (backend === undefined) throw new Error(`--backend must be one of ${BACKENDS.join(', ')}`);
    const { port = 0 } = options;
    const given = flags['metrics-port'];
    const besides = port === 0 ? 0 : port + 2;
    const metricsPort = typeof given === 'string' ? Number(given) : besides;
    return startTritonSim({ ...options, backend, metricsPort });
  },
});
