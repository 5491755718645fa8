/** What the verdict is repeated under: a fleet as nominal as its data sheet, and two that are not. */
import type { Scenario } from './world.ts';

export interface Condition {
  readonly name: string;
  readonly of: (scenario: Scenario) => Scenario;
}

export const AS_IS: Condition = { name: 'as is', of: (scenario) => scenario };
export const NOISY: Condition = {
  name: '±20 % noise',
  of: (scenario) => ({ ...scenario, noise: 0.2 }),
};
export const ONE_SLOW: Condition = {
  name: 'one slow',
  of: (scenario) => ({ ...scenario, slowdowns: [2] }),
};

export const CONDITIONS: readonly Condition[] = [AS_IS, NOISY, ONE_SLOW];
