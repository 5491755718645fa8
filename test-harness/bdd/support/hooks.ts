/** Before and after each scenario; the words that steps share. */
import {
  After,
  AfterAll,
  Before,
  defineParameterType,
  setDefaultTimeout,
  setWorldConstructor,
  Status,
} from '@cucumber/cucumber';
import { OrchestraWorld } from './orchestra-world.ts';
import { Stages } from './stages.ts';

const OWN_DAEMON = '@own-daemon';
/** Bounds a step that hangs, on a machine that may be busy; it measures nothing. */
const STEP_MS = 120_000;

const stages = new Stages();

setWorldConstructor(OrchestraWorld);
setDefaultTimeout(STEP_MS);

/** `the task` is the one posted last; `task "x"` is known by its name. */
defineParameterType({
  name: 'task',
  regexp: /(?:the task|task "([^"]*)")/,
  transformer: (name: string | undefined) => name ?? '',
});

Before(async function (this: OrchestraWorld, { pickle }) {
  await stages.enter(pickle.uri);
  this.stages = stages;
  this.isOwn = pickle.tags.some(({ name }) => name === OWN_DAEMON);
});

After(async function (this: OrchestraWorld, { result }) {
  const hasPassed = result?.status === Status.PASSED;
  if (!hasPassed && this.stageThatRuns !== undefined) {
    this.attach(this.stageThatRuns.daemon.stderr.slice(-10_000), 'text/plain');
  }
  await this.close(hasPassed);
});

AfterAll(() => stages.close());
