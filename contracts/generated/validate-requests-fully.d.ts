// Made by `npm run contracts` from contracts/openapi; not edited by hand.
import type { ErrorObject } from 'ajv';
interface CompiledValidator {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
}
export const createTask: CompiledValidator;
export const drainPool: CompiledValidator;
export const reloadPool: CompiledValidator;
export const canaryPool: CompiledValidator;
export const syncHost: CompiledValidator;
