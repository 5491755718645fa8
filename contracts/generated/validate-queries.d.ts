// Made by `npm run contracts` from contracts/openapi; not edited by hand.
import type { ErrorObject } from 'ajv';
interface CompiledValidator {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
}
export const listTasks: CompiledValidator;
export const createTask: CompiledValidator;
export const streamTask: CompiledValidator;
export const listEvents: CompiledValidator;
export const removeHost: CompiledValidator;
