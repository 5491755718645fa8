/** Whether replicas idled while requests waited that would have been served sooner there. */
import type { Condition } from '../conditions.ts';
import { centralFcfs, edfReject } from '../policies/central.ts';
import { llamaOrch } from '../policies/llama-orch.ts';
import { vtc } from '../policies/fair.ts';
import type { Finding } from './finding.ts';
import { needlessIdle } from './needless-idle.ts';
import {
  AZURE_FLEET,
  MOONCAKE_FLEET,
  type Slice,
  type TraceFolder,
  type TraceName,
} from './settings.ts';

const CASES = [
  { trace: 'mooncake', title: 'Mooncake ×0.8, N=8', speed: 0.8, scenario: MOONCAKE_FLEET },
  { trace: 'conversation', title: 'Azure conv ×3, N=4', speed: 3, scenario: AZURE_FLEET },
] as const satisfies readonly { readonly trace: TraceName; readonly [field: string]: unknown }[];

export function* findIdle(
  folder: TraceFolder,
  condition: Condition,
  slice: Slice,
): Generator<Finding> {
  for (const { trace: name, title, speed, scenario: nominal } of CASES) {
    const trace = folder.load(name, speed, slice);
    const scenario = condition.of(nominal);
    const runs = [llamaOrch, centralFcfs, edfReject, vtc].map((policy) => ({
      policy: policy.name,
      ...needlessIdle(trace, scenario, policy),
    }));
    const [ours, ...others] = runs.map(({ policy, needlessMs, totalMs }) => ({
      policy,
      value: needlessMs / totalMs,
    }));
    const heldS = (runs[0]?.idleWhileHeldMs ?? NaN) / 1000;
    yield {
      metric: 'idle while a held request would gain',
      setting: title,
      condition: condition.name,
      reached: ours?.value ?? NaN,
      target: { atMost: 0 },
      limit: 0,
      beside: others,
      digits: 5,
      note: `idle for ${heldS.toFixed(1)} s in all while something was held`,
    };
  }
}
