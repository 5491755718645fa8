/**
 * A table of the operations, for routing, authorisation, query parsing and tracing requirements. `scope`
 * is what a key needs, null where none is asked for. `responses` maps a
 * status to the name of its JSON body's schema, null when there is none.
 */
import type { Contract } from './contract-document.ts';
import { object, operationsOf, schemaName, string } from './contract-document.ts';

export function operationsModule(contracts: readonly Contract[]): string {
  const rows = operationsOf(contracts).map((op) => {
    const query = op.parameters.filter((p) => p.in === 'query');
    const row = {
      method: op.method,
      path: op.path,
      requirementIds: op.requirementIds,
      scope: op.scope,
      responses: Object.fromEntries(
        [...op.responses].map(([status, ref]) => [status, ref ? schemaName(ref) : null]),
      ),
      query: Object.fromEntries(query.map((p) => [p.name, p.schema['type']])),
    };
    return `  ${op.operationId}: ${JSON.stringify(row)},`;
  });
  const [version] = contracts.map(({ document }) => string(object(document['info'])['version']));
  return [
    '// Made by `npm run contracts` from contracts/openapi; not edited by hand.',
    'export const OPERATIONS = {',
    ...rows,
    '} as const;',
    `export const API_VERSION = '${version}';`,
    'export type OperationId = keyof typeof OPERATIONS;',
    '',
  ].join('\n');
}
