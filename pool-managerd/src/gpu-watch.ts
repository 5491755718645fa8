/** Looks at the GPUs now and then, for the metrics; the path of a request never waits for it. */
import { maskedGpus } from './headroom.ts';
import type { MemoryDesk } from './memory-desk.ts';
import type { MemoryReading } from './memory-probe.ts';
import type { Clock } from './ports.ts';
import type { ReplicaDriver } from './replica-driver.ts';
import type { GpuLoad } from './types.ts';

const EVERY_MS = 10_000;

export class GpuWatch {
  readonly #memory: MemoryDesk;
  readonly #clock: Clock;
  readonly #drivers: () => Iterable<ReplicaDriver>;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(memory: MemoryDesk, clock: Clock, drivers: () => Iterable<ReplicaDriver>) {
    this.#memory = memory;
    this.#clock = clock;
    this.#drivers = drivers;
  }

  start(): void {
    void this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #look(): Promise<void> {
    const reading = await this.#memory.reading();
    if (this.#stopped) return;
    for (const driver of this.#drivers()) driver.showGpus(loadsOf(driver.snapshot.device, reading));
    this.#cancel = this.#clock.setTimer(EVERY_MS, () => void this.#look());
  }
}

function loadsOf(device: string, reading: MemoryReading): readonly GpuLoad[] | undefined {
  const gpus = maskedGpus(device, reading);
  if (gpus.length === 0) return undefined;
  return gpus.map(({ index, usedBytes, utilization }) => ({
    device: `cuda:${index}`,
    usedBytes,
    utilization,
  }));
}
