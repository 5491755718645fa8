/**
 * Agents that call models in turns: each waits for an answer, does something else for a while, and asks
 * again. Slow answers therefore slow the questions down, which an open-loop trace would not show.
 */
import { createRandom } from '../seeded-random.ts';
import type { SeededRandom } from '../seeded-random.ts';

export interface AgentMix {
  readonly agents: number;
  readonly turns: number;
  /** Share of the agents whose own model is the first, the second, … */
  readonly shares: readonly number[];
  /** Part of the turns that ask the agent's own model; the others any of the rest. */
  readonly loyalty: number;
  /** Mean time a task holds a slot, ms; exponential, at least a tenth of it. */
  readonly holdMs: number;
  /** Mean time between an answer and the next question, ms; exponential. */
  readonly thinkMs: number;
}

export interface Turn {
  readonly model: number;
  readonly holdMs: number;
  /** After the answer before; for the first turn, after the start. */
  readonly afterMs: number;
}

/** For each agent its turns. The same seed gives the same. */
export function agentTurns(mix: AgentMix, seed: number): readonly (readonly Turn[])[] {
  return Array.from({ length: mix.agents }, (_, agent) => {
    const random = createRandom(seed, agent);
    const own = ownModel(mix.shares, (agent + 0.5) / mix.agents);
    return Array.from({ length: mix.turns }, () => ({
      model: random.next() < mix.loyalty ? own : otherModel(own, mix.shares.length, random),
      holdMs: mix.holdMs * Math.max(0.1, exponential(random)),
      afterMs: mix.thinkMs * exponential(random),
    }));
  });
}

function ownModel(shares: readonly number[], at: number): number {
  let below = 0;
  for (const [model, share] of shares.entries()) {
    below += share;
    if (at < below) return model;
  }
  return shares.length - 1;
}

function otherModel(own: number, models: number, random: SeededRandom): number {
  return (own + 1 + Math.floor(random.next() * (models - 1))) % models;
}

function exponential(random: SeededRandom): number {
  return -Math.log(1 - random.next());
}
