/** Checks configurations against openapi/config.yaml and fills in their defaults. */
import * as generated from '../generated/validate-config.js';

import type { RefusalMessage } from './faults.ts';
import { toFaults } from './faults.ts';
import type { Config, HostConfig } from './types.ts';
import type { Validated } from './validate-request.ts';

const REFUSALS: readonly RefusalMessage[] = [
  { at: '/allOf/0/else/properties/', message: 'is used only with launch: external' },
  { at: '/allOf/1/else/properties/', message: 'is used only with launch: process' },
  { at: '/allOf/4/else/properties/', message: 'is used only with engine: triton' },
];

/** Works on a copy; `details` hold JSON pointers into `value`. */
export function validateConfig(value: unknown): Validated<Config> {
  return checked<Config>(generated.config, value);
}

/** Of pool-managerd on a host. Works on a copy; `details` hold JSON pointers into `value`. */
export function validateHostConfig(value: unknown): Validated<HostConfig> {
  return checked<HostConfig>(generated.hostConfig, value);
}

function checked<T>(validate: typeof generated.config, value: unknown): Validated<T> {
  const copy: unknown = structuredClone(value);
  if (validate(copy)) return { ok: true, value: copy as T };
  return { ok: false, details: toFaults(validate.errors ?? [], REFUSALS) };
}
