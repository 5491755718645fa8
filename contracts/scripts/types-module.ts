/** TypeScript types of a contract, by openapi-typescript. */
import openapiTS, { astToString } from 'openapi-typescript';

import type { Contract } from './contract-document.ts';

const HEADER = '// Made by `npm run contracts` from contracts/openapi; not edited by hand.\n';

/**
 * `as-sent`: fields with a default may be absent. `defaulted`: they are always there, as after
 * validation with defaults.
 */
export async function typesModule(
  contract: Contract,
  defaults: 'as-sent' | 'defaulted',
): Promise<string> {
  const ast = await openapiTS(contract.url, {
    immutable: true,
    defaultNonNullable: defaults === 'defaulted',
    silent: true,
  });
  return HEADER + astToString(ast);
}
