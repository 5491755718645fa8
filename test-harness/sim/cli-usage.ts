/** What `npm run sim -- --help` prints. */
import { GENERATED } from './cli-options.ts';
import { MODELS } from './iteration-time.ts';
import { POLICIES } from './policies/catalogue.ts';
import { DEFAULT_SCENARIO } from './world.ts';

export const USAGE = `npm run sim -- --trace FILE|${GENERATED} [options]

Plays a trace through a simulated fleet under one or more policies and sets the outcome beside
the limits that no policy can beat.

  --policy P[,P2…]     default: llama-orch,round-robin,least-requests,min-ttft
  --speed X            the trace X times as fast
  --rows A..B          rows A up to but not including B; either may be left out
  --mixed-deadlines    half the rows want a first token within 1 s, half within 20 s
  --tenants A:1,B:2    weights; a trace without tenants is dealt to them in equal parts
  --preemption P       of llama-orch: off, soft (the default) or hard
  --replicas N         default ${DEFAULT_SCENARIO.replicas}
  --model NAME         ${MODELS.map(({ name }) => name).join(' or ')}
  --kv-tokens N        KV memory of a replica, default ${DEFAULT_SCENARIO.kvTokens}
  --cache-tokens N     prefix cache of a replica, default 0
  --slots N            requests that run at once on a replica, default unlimited
  --token-budget N     tokens of one step, default ${DEFAULT_SCENARIO.tokenBudget}
  --noise X            step times vary evenly by ± this share
  --slow-replica X     the first replica takes X times as long
  --signals-ms N       engine metrics are N to 2N ms old, default ${DEFAULT_SCENARIO.signalPeriodMs}; 0: policies see the truth
  --slo-ttft-ms N      default 1000
  --slo-tpot-ms N      default 50
  --seed N             of noise, overlays and the generated trace
  --json FILE          writes every figure
  --svg FILE           draws the distribution of times to first token

npm run sim -- --reproduce --traces DIR [--json FILE]

Runs the published cases and prints our figures beside the reference.

npm run sim -- --verdict --traces DIR [--slices] [--only PART] [--json FILE] [--svg FILE]

Runs every target of the scheduler with the production core and the baselines: as is, with ±20 %
noise, and with one replica twice as slow; with --slices on halves and thirds of the traces instead.

npm run sim -- --ledger DATA_DIR [--pool ID] [--replicas N] [--slots N] [options]

Replays what a daemon has recorded: reads a copy of its ledger, and shows waits and times to first
token with one replica less, as many, and more. Speed constants are fitted to the recorded times;
--model takes known ones. Of the options above: policy, speed, tenants, preemption, kv-tokens,
cache-tokens, token-budget and json.

npm run sim -- --check

Plays the generated trace under every policy and checks what must hold for any of them.

Policies:
${POLICIES.map(({ name, about }) => `  ${name.padEnd(23)}${about}`).join('\n')}
`;
