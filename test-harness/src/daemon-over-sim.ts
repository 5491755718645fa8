/** A real daemon over one simulator in the test's own process. */
import { startLlamaCppSim, type LlamaCppSim } from '../engines/llamacpp/sim.ts';
import { startDaemon, type DaemonProcess } from './daemon-process.ts';
import { externalPool, type ConfigInput } from './temp-config.ts';

export interface DaemonOverSim extends AsyncDisposable {
  readonly daemon: DaemonProcess;
  readonly sim: LlamaCppSim;
}

export interface DaemonOverSimOptions {
  readonly sim?: Parameters<typeof startLlamaCppSim>[0];
  /** Overrides of the pool over the simulator. */
  readonly pool?: Parameters<typeof externalPool>[1];
  readonly config?: Omit<ConfigInput, 'pools'>;
}

/** Resolves when the replica is ready. */
export async function startDaemonOverSim(options: DaemonOverSimOptions): Promise<DaemonOverSim> {
  const sim = await startLlamaCppSim(options.sim);
  const daemon = await startDaemon({
    config: { ...options.config, pools: [externalPool([sim.url], options.pool)] },
  });
  await daemon.client.untilReady(1);
  return {
    daemon,
    sim,
    async [Symbol.asyncDispose]() {
      // The daemon first: it must not see its engine vanish.
      await daemon[Symbol.asyncDispose]();
      await sim[Symbol.asyncDispose]();
    },
  };
}
