/** Time to first token in closed form, for a router that knows the step-time constants. */
import type { Fleet, RouterRequest } from '../policy.ts';
import type { LoadView } from './load-view.ts';

/**
 * Time from now to the first token were the request sent to the replica now, ms: the running step,
 * then full steps for everything unstarted and for the request's own uncached tokens, with the
 * decodes riding along and the request's own attention. It leaves out the attention of the queue
 * ahead, waits for KV memory, and what arrives later.
 */
export function predictedTtftMs(
  fleet: Fleet,
  load: LoadView,
  request: RouterRequest,
  replica: number,
): number {
  const facts = fleet.replicas[replica];
  if (facts === undefined) throw new RangeError(`there is no replica ${replica}`);
  const { constants: c, tokenBudget } = facts;
  const decodes = load.decodes(replica);
  const cached = load.hitTokens(request, replica);
  const uncached = request.promptTokens - cached;
  const toPrefill = load.unstartedTokens(replica) + uncached;
  const steps = Math.ceil(toPrefill / Math.max(1, tokenBudget - decodes));
  const perStep = toPrefill / steps + decodes;
  const stepMs =
    Math.max(c.a0Ms + c.a1Ms * perStep, c.b0Ms + c.b1Ms * perStep) +
    c.hostMs +
    c.hostPerDecodeMs * decodes +
    c.kvMs * load.decodeContext(replica);
  const attentionMs = c.pairMs * uncached * (cached + uncached / 2);
  return load.stepLeftMs(replica) + steps * stepMs + attentionMs;
}
