// Made by `npm run contracts` from contracts/openapi; not edited by hand.
import type { ErrorObject } from 'ajv';
interface CompiledValidator {
  (value: unknown): boolean;
  errors?: ErrorObject[] | null;
}
export const hostSyncAnswer: CompiledValidator;
