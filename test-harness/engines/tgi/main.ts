import { runSimulator } from '../kit/command-line.ts';
import { startTgiSim } from './sim.ts';

await runSimulator({ name: 'node test-harness/engines/tgi/main.ts', start: startTgiSim });
