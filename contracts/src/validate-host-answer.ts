/** Checks what orchestratord answered to a sync, for pool-managerd. */
import { hostSyncAnswer } from '../generated/validate-host-answers.js';

import { toFaults } from './faults.ts';
import type { HostSyncAnswer } from './types.ts';
import type { Validated } from './validate-request.ts';

/** `value` is what JSON.parse made of the body. */
export function validateHostSyncAnswer(value: unknown): Validated<HostSyncAnswer> {
  if (hostSyncAnswer(value)) return { ok: true, value: value as HostSyncAnswer };
  return { ok: false, details: toFaults(hostSyncAnswer.errors ?? []) };
}
