/**
 * Idle while something waits. Holding a request back from an idle replica is right when it is served
 * sooner elsewhere, at a replica that has its prefix or is twice as fast. So only that idle time counts
 * during which some held request could have gone to the idle replica and have had its first token
 * sooner than it got it; for one that was refused in the end, any token would have been sooner.
 */
import { idlePrefillMs } from '../iteration-time.ts';
import type { NamedPolicy } from '../policy.ts';
import type { Trace } from '../trace.ts';
import { simulate, type IdleStretch, type Scenario } from '../world.ts';

interface Chance {
  readonly requestId: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** Its prefill on the idle replica. */
  readonly aloneMs: number;
}

export interface NeedlessIdle {
  /** Replica time with nothing to do while something was held, ms. */
  readonly idleWhileHeldMs: number;
  /** The part of it in which a held request would have been served sooner there, ms. */
  readonly needlessMs: number;
  /** All replica time of the run, ms. */
  readonly totalMs: number;
}

export function needlessIdle(trace: Trace, scenario: Scenario, policy: NamedPolicy): NeedlessIdle {
  /** By stretch and replica: what could have been sent there then. */
  const chances: Chance[][] = [];
  const watch = ({ fromMs, toMs, replicas, held }: IdleStretch) => {
    for (const [index, replica] of replicas) {
      chances.push(
        Array.from(held, (requestId) => {
          const { promptTokens = 0, blocks = [] } = trace[requestId] ?? {};
          const hit = replica.hitTokens(promptTokens, blocks);
          const { constants, tokenBudget, slowdowns } = scenario;
          const nominalMs = idlePrefillMs(constants, promptTokens - hit, hit, tokenBudget);
          return { requestId, fromMs, toMs, aloneMs: nominalMs * (slowdowns[index] ?? 1) };
        }),
      );
    }
  };
  const { records, idleWhileHeldMs, endMs } = simulate(trace, scenario, policy, watch);
  let needlessMs = 0;
  for (const stretch of chances) {
    let longest = 0;
    for (const { requestId, fromMs, toMs, aloneMs } of stretch) {
      const { firstTokenMs = NaN, rejectedMs = NaN } = records[requestId] ?? {};
      const servedMs = Number.isNaN(firstTokenMs) ? Infinity : firstTokenMs;
      const untilMs = Math.min(toMs, servedMs - aloneMs, rejectedMs >= fromMs ? rejectedMs : toMs);
      longest = Math.max(longest, untilMs - fromMs);
    }
    needlessMs += longest;
  }
  return { idleWhileHeldMs, needlessMs, totalMs: endMs * scenario.replicas };
}
