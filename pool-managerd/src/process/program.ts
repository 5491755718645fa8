import type { ConfigLeaves } from '@llama-orch/contracts';

/** How a program of ours is told what to do. */
export interface Program {
  /** What the names of its variables begin with. */
  readonly variablePrefix: string;
  /** Variables, without the prefix, that name a value by less than its path. */
  readonly shortNames: ReadonlyMap<string, readonly string[]>;
  /** A variable that only looks like one of ours. */
  readonly isForeign: (variable: string, text: string) => boolean;
  /** Flags that set a value, by name, beside `--help` and `--config`. */
  readonly flags: Readonly<Record<string, readonly string[]>>;
  readonly leaves: ConfigLeaves;
  /** Taken unasked when it exists; undefined when a file must be named. */
  readonly defaultFile: string | undefined;
}
