/** What happened on this host and was not acknowledged yet: numbered, bounded, the oldest given up first. */
import type { HostEvent } from '@llama-orch/contracts';
import type { PoolEvent } from '../types.ts';
import { wireId } from './host-report.ts';

/** As many as one sync may carry. */
const MAX_EVENTS = 256;

export class EventBacklog {
  readonly #hostId: string;
  #events: readonly HostEvent[] = [];
  #lastN = 0;
  #dropped = 0;

  constructor(hostId: string) {
    this.#hostId = hostId;
  }

  /** Oldest first. */
  get events(): readonly HostEvent[] {
    return this.#events;
  }

  /** Given up for want of room, since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What a report of the present state tells anyway is no event. */
  note(event: PoolEvent): void {
    switch (event.type) {
      case 'restart':
        return this.#add(event.replica.replicaId, {
          type: 'restart',
          reason: event.reason,
          delay_ms: event.delayMs,
        });
      case 'preload':
        return this.#add(event.replica.replicaId, {
          type: 'preload',
          outcome: event.outcome,
          took_ms: event.ms,
        });
      case 'lease':
        // A renewal a second and replica is what always happens; orchestratord counts its own.
        if (event.event === 'renewed') return;
        return this.#add(event.replicaId, { type: 'lease', lease: event.event });
      case 'replica-gone':
        return this.#add(event.replica.replicaId, { type: 'gone', crashed: event.crashed });
      case 'replica':
        return;
    }
  }

  acknowledge(upTo: number): void {
    this.#events = this.#events.filter(({ n }) => n > upTo);
  }

  #add(replicaId: string, event: Omit<HostEvent, 'n' | 'replica_id'>): void {
    this.#lastN += 1;
    const numbered = { n: this.#lastN, replica_id: wireId(this.#hostId, replicaId), ...event };
    this.#events = [...this.#events, numbered];
    if (this.#events.length <= MAX_EVENTS) return;
    this.#events = this.#events.slice(1);
    this.#dropped += 1;
  }
}
