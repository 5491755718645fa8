/** Requests generated from the contract, for the tests of whoever answers them. */
export { readContract } from '../scripts/contract-document.ts';
export type { Contract } from '../scripts/contract-document.ts';
export { headerCheck } from './declared-headers.ts';
export type { HeaderCheck } from './declared-headers.ts';
export { requestsOf } from './request-cases.ts';
export type { KnownValues, RequestArbitraries, RequestCase } from './request-cases.ts';
export { toJsonText } from './sent-value.ts';
export type { Sent } from './sent-value.ts';
