/** Before and after each scenario; the words that steps share. */
import {
  After,
  AfterAll,
  Before,
  defineParameterType,
  setDefaultTimeout,
  setParallelCanAssign,
  setWorldConstructor,
  Status,
} from '@cucumber/cucumber';
import { ScenarioWorld } from './scenario-world.ts';
import { openStage } from './stage.ts';
import { Stages } from './stages.ts';

const OWN_DAEMON = '@own-daemon';
/** Bounds a step that hangs, on a machine that may be busy; it measures nothing. */
const STEP_MS = 120_000;

const stages = new Stages(openStage);

setWorldConstructor(ScenarioWorld);
setDefaultTimeout(STEP_MS);

/** A feature's scenarios share daemons, so they stay with one worker. */
setParallelCanAssign((pickle, running) => running.every(({ uri }) => uri !== pickle.uri));

/** `the task` is the one posted last; `task "x"` is known by its name. */
defineParameterType({
  name: 'task',
  regexp: /(?:the task|task "([^"]*)")/,
  transformer: (name: string | undefined) => name ?? '',
});

Before(async function (this: ScenarioWorld, { pickle }) {
  await stages.enter(pickle.uri);
  this.stages = stages;
  this.isOwn = pickle.tags.some(({ name }) => name === OWN_DAEMON);
});

After(async function (this: ScenarioWorld, { result }) {
  const hasPassed = result?.status === Status.PASSED;
  if (!hasPassed) this.attach((await this.daemonLog()).slice(-10_000), 'text/plain');
  await this.close(hasPassed);
});

AfterAll(() => stages.close());
