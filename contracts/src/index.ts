export { CONFIG_LEAVES, HOST_CONFIG_LEAVES } from '../generated/config-leaves.ts';
export type { ConfigLeaves } from '../generated/config-leaves.ts';
export { API_VERSION, OPERATIONS } from '../generated/operations.ts';
export type { OperationId } from '../generated/operations.ts';
export { CONTRACT_FILES } from './contract-files.ts';
export { ERROR_KINDS, OrchError } from './errors.ts';
export type { ErrorKind, FaultDetail, OrchErrorOptions, PolicyLabel } from './errors.ts';
export { invalidParams, jsonPointer } from './faults.ts';
export {
  isCorrelationId,
  isHostId,
  isIdempotencyKey,
  isName,
  isUuid,
  parseEventId,
} from './identifiers.ts';
export { parseQuery } from './parse-query.ts';
export type * from './types.ts';
export { validateConfig, validateHostConfig } from './validate-config.ts';
export { validateHostSyncAnswer } from './validate-host-answer.ts';
export {
  validateCanaryRequest,
  validateDrainRequest,
  validateHostSync,
  validateReloadRequest,
  validateTaskRequest,
} from './validate-request.ts';
export type { Validated } from './validate-request.ts';
