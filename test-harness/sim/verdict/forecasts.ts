/**
 * What the core tells of the first token at admission, when its constants start twofold wrong.
 *
 * Instead of the core's constants the engine's are changed: replicas that take twice (or half) as long
 * for everything, under a trace and deadlines stretched alike. That is the same run on another clock,
 * and the core starts as it does everywhere, with what it assumes of an unknown engine.
 */
import { AS_IS, type Condition } from '../conditions.ts';
import { qualityOf, type ForecastQuality, type ToldForecast } from '../forecast-quality.ts';
import { slowed } from '../iteration-time.ts';
import { MIXED_DEADLINES, withDeadlines } from '../overlays.ts';
import type { NamedPolicy } from '../policy.ts';
import { llamaOrchWith } from '../policies/llama-orch.ts';
import { predictedTtftMs } from '../policies/predicted-ttft.ts';
import { leastOf, pushTo } from '../policies/push.ts';
import { speedUp, type Trace } from '../trace.ts';
import { simulate, type Scenario } from '../world.ts';
import type { Finding, Target } from './finding.ts';
import {
  AZURE_FLEET,
  MOONCAKE_FLEET,
  type Slice,
  type TraceFolder,
  type TraceName,
} from './settings.ts';

const TARGETS: Readonly<Record<keyof Omit<ForecastQuality, 'brier'>, Target>> = {
  medianError: { atMost: 0.03 },
  p90Error: { atMost: 0.2 },
  coverage: { from: 0.78, to: 0.82 },
  calibrationError: { atMost: 0.02 },
};
const LABELS: Readonly<Record<keyof typeof TARGETS, string>> = {
  medianError: 'forecast error, median',
  p90Error: 'forecast error, p90',
  coverage: '80 % interval covers',
  calibrationError: 'on-time calibration error',
};

interface Case {
  readonly trace: TraceName;
  readonly title: string;
  readonly speed: number;
  readonly scenario: Scenario;
  readonly hasDeadlines: boolean;
}

const CASES: readonly Case[] = [
  {
    trace: 'mooncake',
    title: 'Mooncake ×0.8, N=8',
    speed: 0.8,
    scenario: MOONCAKE_FLEET,
    hasDeadlines: false,
  },
  {
    trace: 'conversation',
    title: 'Azure conv ×3, N=4',
    speed: 3,
    scenario: AZURE_FLEET,
    hasDeadlines: false,
  },
  {
    trace: 'code',
    title: 'Azure code ×2, N=4',
    speed: 2,
    scenario: AZURE_FLEET,
    hasDeadlines: true,
  },
];

/** How long the engine takes for everything, as multiples of what the core starts with. */
const TOO_SLOW = 2;
const TOO_FAST = 0.5;

export function* findForecasts(
  folder: TraceFolder,
  condition: Condition,
  slice: Slice,
): Generator<Finding> {
  const factors = condition === AS_IS ? [TOO_SLOW, TOO_FAST] : [TOO_SLOW];
  for (const { trace: name, title, speed, scenario: nominal, hasDeadlines } of CASES) {
    for (const factor of factors) {
      const scenario = condition.of({ ...nominal, constants: slowed(nominal.constants, factor) });
      const plain = speedUp(folder.load(name, speed, slice), 1 / factor);
      const classes = MIXED_DEADLINES.map(({ share, ttftSloMs }) => ({
        share,
        ttftSloMs: ttftSloMs * factor,
      }));
      const trace = hasDeadlines ? withDeadlines(plain, classes, scenario.seed) : plain;
      const ours = qualityOf(forecastsOf(trace, scenario));
      const closed = qualityOf(closedForm(trace, scenario));
      for (const figure of Object.keys(TARGETS) as (keyof typeof TARGETS)[]) {
        if (Number.isNaN(ours[figure])) continue;
        const isError = figure === 'medianError' || figure === 'p90Error';
        yield {
          metric: LABELS[figure],
          setting: `${title}, engine ×${factor} as slow`,
          condition: condition.name,
          reached: ours[figure],
          target: TARGETS[figure],
          limit: figure === 'coverage' ? undefined : 0,
          beside: isError ? [{ policy: 'min-ttft, knows constants', value: closed[figure] }] : [],
          digits: 3,
        };
      }
    }
  }
}

type Told = Omit<ToldForecast, 'actualMs' | 'wasOnTime'>;

/** Every forecast of the core over a trace, with its outcome. */
export function forecastsOf(trace: Trace, scenario: Scenario): ToldForecast[] {
  const told = new Map<number, Told>();
  const policy = llamaOrchWith({
    onForecast: (requestId, { forecast }) => {
      const { firstTokenMs, lowMs, highMs, onTimeProbability } = forecast;
      told.set(requestId, { predictedMs: firstTokenMs, lowMs, highMs, onTimeProbability });
    },
  });
  return outcomesOf(trace, scenario, policy, told);
}

/** What least predicted time expects when it chooses, with the engine's own constants in its hands. */
function closedForm(trace: Trace, scenario: Scenario): ToldForecast[] {
  const told = new Map<number, Told>();
  const policy: NamedPolicy = {
    name: 'min-ttft',
    about: '',
    create: pushTo((fleet, load) => (request) => {
      const predicted = fleet.replicas.map(({ index }) =>
        predictedTtftMs(fleet, load, request, index),
      );
      const replica = leastOf(predicted.length, (index) => predicted[index] ?? Infinity);
      const predictedMs = predicted[replica] ?? NaN;
      const lowMs = predictedMs;
      told.set(request.id, { predictedMs, lowMs, highMs: lowMs, onTimeProbability: undefined });
      return replica;
    }),
  };
  return outcomesOf(trace, scenario, policy, told);
}

function outcomesOf(
  trace: Trace,
  scenario: Scenario,
  policy: NamedPolicy,
  told: ReadonlyMap<number, Told>,
): ToldForecast[] {
  const { records } = simulate(trace, scenario, policy);
  return [...told].map(([requestId, forecast]) => {
    const { arrivalMs = NaN, ttftSloMs = Infinity } = trace[requestId] ?? {};
    const actualMs = (records[requestId]?.firstTokenMs ?? NaN) - arrivalMs;
    return { ...forecast, actualMs, wasOnTime: actualMs <= ttftSloMs };
  });
}
