/**
 * What this daemon must remember of itself and its hosts over a restart, in a small file of its data
 * directory: the id that leases are granted to, where leases of this process may live on after its end
 * (OC-POOL-3115), and what it has told hosts to serve (OC-POOL-3133).
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isUuid } from '@llama-orch/contracts';
import type { WantedOfPool } from './remote-models.ts';

const FILE = 'hosts.json';

export interface KnownHost {
  readonly ttlMs: number;
  readonly poolIds: readonly string[];
}

interface Content {
  readonly orchestratorId: string;
  readonly hosts: Readonly<Record<string, KnownHost>>;
  readonly wanted?: Readonly<Record<string, WantedOfPool>>;
}

export class KnownHosts {
  readonly #path: string;
  readonly orchestratorId: string;
  readonly #hosts: Map<string, KnownHost>;
  readonly #wanted: Map<string, WantedOfPool>;
  /** As they were when the file was opened: hosts of the process before this one. */
  readonly inherited: ReadonlyMap<string, KnownHost>;

  /**
   * Call it while the directory, which exists, is this process's own.
   * @throws Error of the file system when it can neither be read nor written
   */
  constructor(dataDir: string) {
    this.#path = join(dataDir, FILE);
    const content = read(this.#path);
    this.orchestratorId = content?.orchestratorId ?? randomUUID();
    this.#hosts = new Map(Object.entries(content?.hosts ?? {}));
    this.#wanted = new Map(Object.entries(content?.wanted ?? {}));
    this.inherited = new Map(this.#hosts);
    if (content === undefined) this.#write();
  }

  /** What pools on hosts are to serve, by pool. */
  get wanted(): ReadonlyMap<string, WantedOfPool> {
    return this.#wanted;
  }

  /** Durable when it returns. */
  want(poolId: string, wanted: WantedOfPool): void {
    this.#wanted.set(poolId, wanted);
    this.#write();
  }

  /** Durable when it returns: what is granted from here on may outlive this process. */
  add(hostId: string, host: KnownHost): void {
    if (JSON.stringify(this.#hosts.get(hostId)) === JSON.stringify(host)) return;
    this.#hosts.set(hostId, host);
    this.#write();
  }

  /** Nothing of ours can run there any more. */
  remove(hostId: string): void {
    if (this.#hosts.delete(hostId)) this.#write();
  }

  #write(): void {
    const content: Content = {
      orchestratorId: this.orchestratorId,
      hosts: Object.fromEntries(this.#hosts),
      wanted: Object.fromEntries(this.#wanted),
    };
    const fresh = `${this.#path}.new`;
    writeFileSync(fresh, `${JSON.stringify(content)}\n`, { mode: 0o600, flush: true });
    renameSync(fresh, this.#path);
  }
}

/** Undefined when there is none, or a damaged one. */
function read(path: string): Content | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const content = JSON.parse(text) as Partial<Content> | null;
    return isUuid(String(content?.orchestratorId)) ? (content as Content) : undefined;
  } catch {
    return undefined;
  }
}
