/**
 * A proof from any running daemon: each seed runs once as a strict task, and is verified on another replica
 * of its set by the daemon itself.
 */
import type { Task, TaskVerification } from '@llama-orch/contracts';
import type { DaemonClient } from '../src/daemon-client.ts';
import { taskIdOf } from '../src/event-stream.ts';
import { pinnedSetOf } from './pinned-set.ts';
import { proofBundle, seedProof, type Mismatch, type ProofBundle } from './proof-bundle.ts';
import { MAX_TOKENS, PROMPT, runOf } from './situations.ts';

export interface Question {
  readonly poolId: string;
  /** The seeds 0 to this, exclusive. */
  readonly seeds: number;
  /** Called after each seed. */
  readonly onSeed?: (seed: number, mismatch: Mismatch | undefined) => void;
}

/** @throws Error when a task does not run, or the pool cannot be verified */
export async function proofOf(client: DaemonClient, question: Question): Promise<ProofBundle> {
  const { poolId, seeds, onSeed } = question;
  const { pinned, modelId } = await pinnedSetOf(client, poolId);
  const proofs = [];
  const mismatches: Mismatch[] = [];
  const replicas = new Set<string>();
  for (let seed = 0; seed < seeds; seed += 1) {
    const stream = await client.run({
      prompt: PROMPT,
      seed,
      max_tokens: MAX_TOKENS,
      determinism: 'strict',
      model_ref: modelId,
    });
    const run = runOf(seed, stream);
    const task = await client.task(taskIdOf(stream));
    requireSet(task, poolId, pinned.replica_set_id);
    proofs.push(seedProof(run));
    const mismatch = await verified(client, task, seed, replicas);
    if (mismatch !== undefined) mismatches.push(mismatch);
    onSeed?.(seed, mismatch);
  }
  const name = 'verified on another replica';
  return proofBundle({
    pinned,
    seeds: proofs,
    situations: [{ name, runs: seeds, replicas: [...replicas].sort(), mismatches }],
    prompt: PROMPT,
    maxTokens: MAX_TOKENS,
  });
}

function requireSet({ pool_id: ranIn, proof }: Task, poolId: string, setId: string): void {
  if (ranIn !== poolId) throw new Error(`its model is served by pool ${ranIn} as well`);
  if (proof?.replica_set_id !== setId) throw new Error('the replica set changed meanwhile');
}

async function verified(
  client: DaemonClient,
  { task_id: taskId }: Task,
  seed: number,
  replicas: Set<string>,
): Promise<Mismatch | undefined> {
  const { status, text, body } = await client.call('verifyTask', { path: [taskId] });
  if (status !== 200) throw new Error(`seed ${seed} was not verified: ${status} ${text}`);
  const answer = body as TaskVerification;
  replicas.add(answer.replica_id).add(answer.verified_on_replica_id);
  const { match, first_difference: difference, verified_on_replica_id: replicaId } = answer;
  return match || difference === undefined
    ? undefined
    : { seed, replica_id: replicaId, ...difference };
}
