/** What a host is told to do: numbered, told until it is known to be done, done once. */
import type { HostCommand } from '@llama-orch/contracts';

type Command = Omit<HostCommand, 'n'>;

/** As many as one answer carries. */
const MAX_AN_ANSWER = 256;
/** Accusations and revivals waiting; further ones are not needed while these are not heard. */
const MAX_WAITING = 256;

export class CommandQueue {
  #waiting: readonly HostCommand[] = [];
  #lastN = 0;
  readonly #confirmations = new Map<number, () => void>();

  /** Number of the newest command. */
  get lastN(): number {
    return this.#lastN;
  }

  /** Oldest first. */
  next(): readonly HostCommand[] {
    return this.#waiting.slice(0, MAX_AN_ANSWER);
  }

  /** One that is waiting already is not put twice, unless another has undone it since. */
  put(command: Command): void {
    const last = this.#waiting.findLast(
      (each) =>
        subjectOf(each) === subjectOf(command) &&
        each.replica_id === command.replica_id &&
        each.pool_id === command.pool_id,
    );
    if (last?.type !== command.type && this.#waiting.length < MAX_WAITING) this.#add(command);
  }

  /**
   * Asks for the end of a request, of which there are no more than attempts.
   * @param onDone called when it is known to be over; the returned function gives up waiting, and asking
   */
  end(requestId: string, onDone: () => void): () => void {
    const n = this.#add({ type: 'end', request_id: requestId });
    this.#confirmations.set(n, onDone);
    return () => {
      this.#confirmations.delete(n);
      this.#waiting = this.#waiting.filter((each) => each.n !== n);
    };
  }

  /** Commands up to this number were carried out. */
  done(upTo: number): void {
    this.#waiting = this.#waiting.filter(({ n }) => n > upTo);
    for (const [n, onDone] of [...this.#confirmations]) {
      if (n > upTo) continue;
      this.#confirmations.delete(n);
      onDone();
    }
  }

  #add(command: Command): number {
    this.#lastN += 1;
    this.#waiting = [...this.#waiting, { n: this.#lastN, ...command }];
    return this.#lastN;
  }
}

function subjectOf({ type }: Command): string {
  return type === 'unload' ? 'load' : type;
}
