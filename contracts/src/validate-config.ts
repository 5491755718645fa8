/** Checks a configuration against openapi/config.yaml and fills in its defaults. */
import { config as validate } from '../generated/validate-config.js';

import type { RefusalMessage } from './faults.ts';
import { toFaults } from './faults.ts';
import type { Config } from './types.ts';
import type { Validated } from './validate-request.ts';

const REFUSALS: readonly RefusalMessage[] = [
  { at: '/allOf/0/else/properties/', message: 'is used only with launch: external' },
  { at: '/allOf/1/else/properties/', message: 'is used only with launch: process' },
  { at: '/allOf/4/else/properties/', message: 'is used only with engine: triton' },
];

/** Works on a copy; `details` hold JSON pointers into `value`. */
export function validateConfig(value: unknown): Validated<Config> {
  const copy: unknown = structuredClone(value);
  if (validate(copy)) return { ok: true, value: copy as Config };
  return { ok: false, details: toFaults(validate.errors ?? [], REFUSALS) };
}
