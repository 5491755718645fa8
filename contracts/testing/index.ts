/** Requests generated from the contract, for the tests of whoever answers them. */
export { headerCheck } from './declared-headers.ts';
export type { AnswerHeaders, HeaderCheck } from './declared-headers.ts';
export { operationsOf, readContract } from '../scripts/contract-document.ts';
export type { Contract, Operation } from '../scripts/contract-document.ts';
export { inlineSchema } from './inline-schema.ts';
export type { SchemaObject } from './inline-schema.ts';
export { requestsOf } from './request-cases.ts';
export type {
  KnownValues,
  RequestArbitraries,
  RequestCase,
  RequestFault,
} from './request-cases.ts';
export { toJsonText } from './sent-value.ts';
export type { Sent } from './sent-value.ts';
export { faultyValues } from './faulty-values.ts';
export { validValues } from './valid-values.ts';
