/** The validators on what the contract itself gives: valid bodies, and bodies with known faults. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { object, operationsOf, readContract } from '../scripts/contract-document.ts';
import { breaksOf, faultyValues } from '../testing/faulty-values.ts';
import { inlineSchema } from '../testing/inline-schema.ts';
import { toJsonText, type Sent, type SentObject } from '../testing/sent-value.ts';
import { validValues } from '../testing/valid-values.ts';
import { CONTRACT_FILES } from './contract-files.ts';
import type { Validated } from './validate-request.ts';
import {
  validateCanaryRequest,
  validateDrainRequest,
  validateHostSync,
  validateReloadRequest,
  validateTaskRequest,
} from './validate-request.ts';

const VALIDATORS: Readonly<Record<string, (value: unknown) => Validated<unknown>>> = {
  createTask: validateTaskRequest,
  drainPool: validateDrainRequest,
  reloadPool: validateReloadRequest,
  canaryPool: validateCanaryRequest,
  syncHost: validateHostSync,
};

const contracts = await Promise.all(Object.values(CONTRACT_FILES).map(readContract));
const bodies = operationsOf(contracts).flatMap(({ operationId, bodyRef }) =>
  bodyRef === undefined
    ? []
    : [[operationId, inlineSchema(contracts, bodyRef), VALIDATORS[operationId]!] as const],
);
const received = (value: Sent): unknown => JSON.parse(toJsonText(value));
const pathsOf = (result: Validated<unknown>): readonly string[] =>
  result.ok ? [] : result.details.map(({ path }) => path);

test('every operation with a body has a validator', () => {
  expect(bodies.map(([operationId]) => operationId).sort()).toEqual(Object.keys(VALIDATORS).sort());
});

describe.each(bodies)('%s', (_, schema, validate) => {
  test('OC-TEST-7501 every body that its schema allows is valid', () => {
    fc.assert(
      fc.property(validValues(schema), (body) => {
        const value = received(body);
        expect(validate(value)).toEqual({ ok: true, value });
      }),
    );
  });

  test('OC-CTRL-2031 OC-TEST-7502 a keyword that is broken is told with its place, and nothing else is', () => {
    // Digits that a double does not have are gone after JSON.parse: the daemon reads them from the text.
    const faulty = faultyValues(schema).filter(({ path }) => path !== '/seed');
    fc.assert(
      fc.property(faulty, ({ value, path, isPivotal }) => {
        const paths = pathsOf(validate(received(value)));
        if (isPivotal) expect(paths).toContain(path);
        else expect(paths).toEqual([path]);
      }),
      { numRuns: 500 },
    );
  });
});

test('OC-CTRL-2031 each of several fields at fault is named by its own path, and nothing else is', () => {
  const schema = bodies.find(([operationId]) => operationId === 'createTask')![1];
  fc.assert(
    fc.property(
      validValues(schema),
      fc.nat(),
      fc.integer({ min: 1, max: 4 }),
      (task, from, many) => {
        const fields = breaksOf(schema, task).filter(
          ({ path, keyword, isPivotal }) =>
            /^\/[a-z_]+$/.test(path) && (keyword === 'type' || keyword === 'enum') && !isPivotal,
        );
        fc.pre(fields.length > 0);
        const chosen = [...fields, ...fields].slice(from % fields.length).slice(0, many);
        const wrong = Object.fromEntries(
          chosen.map(({ path, ways }) => {
            const name = path.slice(1);
            return [name, (ways[0]!() as SentObject)[name]];
          }),
        );
        const result = validateTaskRequest({ ...object(received(task)), ...wrong });
        expect(new Set(pathsOf(result))).toEqual(new Set(chosen.map(({ path }) => path)));
      },
    ),
  );
});

test('any JSON gets an answer: valid, or faults that say where', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const result = validateTaskRequest(value);
      if (!result.ok) expect(result.details.length).toBeGreaterThan(0);
    }),
  );
});
