/** What a benchmark is given and what it gives back. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Spread } from './statistics.ts';

export interface Bench {
  readonly name: string;
  /** One line for the list that --help prints. */
  readonly about: string;
  readonly run: (context: BenchContext) => Promise<readonly Row[]>;
}

/** One line of the table. */
export interface Row {
  readonly measure: string;
  readonly unit: string;
  readonly value: Spread;
  /** The same without the daemon, measured in the same run. */
  readonly reference?: { readonly name: string; readonly value: Spread };
  readonly target?: Target;
}

export interface Target {
  readonly bound: 'at least' | 'at most' | 'below';
  readonly value: number;
}

export interface BenchContext {
  /** A short form that shows that everything runs; its figures say little. */
  readonly quick: boolean;
  /** Profile the daemon in its measured phases. */
  readonly cpuProfile: boolean;
  /** A new folder that is removed with the run. */
  newDir(name: string): string;
  /** A line for whoever watches. */
  say(line: string): void;
}

export interface ContextOptions {
  readonly quick: boolean;
  readonly cpuProfile: boolean;
}

/** @returns a context whose folders are removed when it is disposed of */
export function createContext(options: ContextOptions): BenchContext & Disposable {
  const root = mkdtempSync(join(tmpdir(), 'llama-orch-bench-'));
  let dirs = 0;
  return {
    ...options,
    newDir(name) {
      dirs += 1;
      const dir = join(root, `${dirs}-${name}`);
      mkdirSync(dir);
      return dir;
    },
    say: (line) => void process.stderr.write(`${line}\n`),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
