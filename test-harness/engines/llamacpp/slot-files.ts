import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseObject } from '../kit/http-answers.ts';

/** What a slot file holds. */
export interface SavedSlot {
  readonly text: string;
  readonly tokens: number;
}

/** Slot files in a folder, where another process finds them, or in memory. */
export class SlotFiles {
  readonly #folder: string | undefined;
  readonly #inMemory = new Map<string, SavedSlot>();

  /** @throws Error when there is no such folder, for which llama-server does not start either */
  constructor(folder: string | undefined) {
    if (folder !== undefined && !statSync(folder).isDirectory()) {
      throw new Error(`${folder} is not a folder`);
    }
    this.#folder = folder;
  }

  save(name: string, slot: SavedSlot): void {
    if (this.#folder === undefined) this.#inMemory.set(name, slot);
    else writeFileSync(join(this.#folder, name), JSON.stringify(slot));
  }

  /** Undefined when it was never saved, or is damaged. */
  load(name: string): SavedSlot | undefined {
    if (this.#folder === undefined) return this.#inMemory.get(name);
    const { text, tokens } = parseObject(readIfThere(join(this.#folder, name))) ?? {};
    return typeof text === 'string' && typeof tokens === 'number' ? { text, tokens } : undefined;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
