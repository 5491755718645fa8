/**
 * Fault injection, one boundary at a time:
 *
 *     npm run chaos -- SCENARIO [--seed N] [--tasks N]
 *
 * Prints a table and exits with status 1 when a promise was broken. The seed is printed, and gives the same
 * load and the same faults again.
 */
import { parseArgs } from 'node:util';
import { formatScenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

/** Programs of their own, with options of their own. */
const PROGRAMS = { kill9: './kill9.ts', engines: './faults.ts' } as const;

const [name = '--help', ...args] = process.argv.slice(2);

function help(): string {
  const rows = [
    ['kill9', 'kills the daemon with SIGKILL under load (--rounds, --seed)'],
    [
      'engines',
      'engines of every kind that fail in every way (--tasks, --percent, --open, --seed)',
    ],
    ...SCENARIOS.map(({ name: scenario, about }) => [scenario, about]),
  ];
  return [
    'npm run chaos -- SCENARIO [--seed N] [--tasks N]',
    '',
    ...rows.map(([scenario = '', about = '']) => `  ${scenario.padEnd(20)} ${about}`),
    `  ${'all'.padEnd(20)} these, one after the other, without the first two`,
  ].join('\n');
}

async function runScenarios(): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { seed: { type: 'string' }, tasks: { type: 'string' } },
  });
  const seed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed);
  const wanted = SCENARIOS.filter((scenario) => name === 'all' || scenario.name === name);
  const tasks = values.tasks === undefined ? undefined : Number(values.tasks);
  const isUsable = [seed, tasks ?? 1].every((each) => Number.isInteger(each) && each >= 0);
  if (wanted.length === 0 || !isUsable || tasks === 0) {
    console.log(help());
    return name === '--help' ? 0 : 2;
  }
  console.log(`seed ${seed}`);
  let broken = 0;
  for (const scenario of wanted) {
    const report = await scenario.run({
      seed,
      tasks: tasks ?? scenario.tasks.long,
      onEvent: (what) => console.log(`${scenario.name}: ${what}`),
    });
    console.log(formatScenario(scenario.name, seed, report));
    broken += report.violations.length;
  }
  return broken === 0 ? 0 : 1;
}

if (name === 'kill9' || name === 'engines') {
  process.argv.splice(2, 1);
  await import(PROGRAMS[name]);
} else process.exit(await runScenarios());
