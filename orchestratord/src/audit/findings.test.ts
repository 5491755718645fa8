import { expect, test } from 'vitest';
import { Findings, noteDrift, noteSuspicion } from './findings.ts';

const TASK = '00000000-0000-4000-8000-000000000001';
const DRIFT = { taskId: TASK, atMs: 5 };
const replica = (replicaId: string, setId = 's') => ({ replicaId, setId });

test('OC-CTRL-2154 a replica without an audit has no findings; one that drifts is flagged', () => {
  const findings = new Findings();
  const life = findings.lifeOf(replica('a'));
  expect(findings.viewOf(replica('a'), true)).toBeUndefined();
  life.audits = 3;
  expect(findings.viewOf(replica('a'), true)).toEqual({ audits: 3, drifted: 0, suspected: false });
  expect(findings.isFlagged(replica('a'))).toBe(false);
  noteDrift(life, DRIFT);
  expect(findings.isFlagged(replica('a'))).toBe(true);
  expect(findings.viewOf(replica('a'), true)).toEqual({
    audits: 3,
    drifted: 1,
    suspected: false,
    last_drift_at_ms: 5,
    last_drift_task_id: TASK,
  });
});

test('OC-CTRL-2155 the task is told only where it may be', () => {
  const findings = new Findings();
  const life = findings.lifeOf(replica('a'));
  life.audits = 1;
  noteDrift(life, DRIFT);
  expect(findings.viewOf(replica('a'), false)).not.toHaveProperty('last_drift_task_id');
});

test('OC-CTRL-2154 a new engine or another version has a clean sheet, whatever is noted of the one before', () => {
  const findings = new Findings();
  const before = findings.lifeOf(replica('a'));
  before.audits = 1;
  noteDrift(before, DRIFT);
  findings.forget('a');
  expect(findings.isFlagged(replica('a'))).toBe(false);
  const second = findings.lifeOf(replica('a'));
  second.audits = 1;
  noteDrift(before, DRIFT);
  expect(findings.isFlagged(replica('a'))).toBe(false);
  noteDrift(second, DRIFT);
  expect(findings.isFlagged(replica('a', 'other'))).toBe(false);
  expect(findings.viewOf(replica('a', 'other'), true)).toBeUndefined();
});

test('OC-CTRL-2154 a suspicion ends when the other one is found to drift', () => {
  const findings = new Findings();
  const [a, b, c] = ['a', 'b', 'c'].map((id) => findings.lifeOf(replica(id)));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three were made');
  noteSuspicion([a, b], DRIFT);
  noteSuspicion([a, c], DRIFT);
  expect([a, b, c].map(({ isFlagged }) => isFlagged)).toEqual([true, true, true]);
  noteDrift(b, DRIFT);
  expect([a, b, c].map(({ isFlagged }) => isFlagged)).toEqual([true, true, true]);
  noteDrift(c, DRIFT);
  expect([a, b, c].map(({ isFlagged }) => isFlagged)).toEqual([false, true, true]);
});

test('OC-CTRL-2154 whoever differs from one that is known to drift is not suspected for it', () => {
  const findings = new Findings();
  const [a, b] = [findings.lifeOf(replica('a')), findings.lifeOf(replica('b'))];
  noteDrift(b, DRIFT);
  noteSuspicion([a, b], DRIFT);
  expect(a.isFlagged).toBe(false);
});
