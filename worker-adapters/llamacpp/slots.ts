import type { EngineConnection } from '../api/engine-connection.ts';
import { numberField, parseJson } from '../api/json-fields.ts';
import { EngineError } from '../api/types.ts';
import type { SlotKeeper } from '../api/types.ts';

/** Slot actions of `llama-server`, which it has when started with `--slot-save-path`. */
export class LlamaCppSlots implements SlotKeeper {
  readonly #connection: EngineConnection;

  constructor(connection: EngineConnection) {
    this.#connection = connection;
  }

  async erase(slotId: number, signal?: AbortSignal): Promise<boolean> {
    return (await this.#act(slotId, 'erase', {}, signal)) !== undefined;
  }

  async save(slotId: number, file: string, signal?: AbortSignal): Promise<boolean> {
    return (await this.#act(slotId, 'save', { filename: file }, signal)) !== undefined;
  }

  /**
   * llama-server answers 400 for a file it cannot read. With unified KV it may have moved what an idle
   * slot held to its own memory before the slot was saved, and then the file is empty.
   */
  async restore(slotId: number, file: string, signal?: AbortSignal): Promise<boolean> {
    try {
      const answer = await this.#act(slotId, 'restore', { filename: file }, signal);
      return answer !== undefined && numberField(parseJson(answer), 'n_restored') !== 0;
    } catch (error) {
      if (error instanceof EngineError && error.status === 400) return false;
      throw error;
    }
  }

  /** The answer's body; undefined where the server was started without slot actions. */
  async #act(
    slotId: number,
    action: 'erase' | 'save' | 'restore',
    body: object,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const path = `/slots/${slotId}?action=${action}`;
    const answer = await this.#connection.call({ method: 'POST', path, body, signal });
    const isUnknown = answer.status === 404 || answer.status === 501;
    return isUnknown ? undefined : this.#connection.textOf(answer);
  }
}
