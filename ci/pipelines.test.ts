/** The workflows for GitHub Actions are such as GitHub understands; one does what `.ci/run` does, one the long forms. */
import { existsSync, readFileSync } from 'node:fs';
import { convertWorkflowTemplate, parseWorkflow } from '@actions/workflow-parser';
import { NoOperationTraceWriter } from '@actions/workflow-parser/templates/trace-writer';
import { expect, test } from 'vitest';

const WORKFLOW = new URL('pipelines.yml', import.meta.url);
const NIGHTLY = new URL('nightly.yml', import.meta.url);
const SCRIPT = new URL('../.ci/run', import.meta.url);
const PACKAGE = new URL('../package.json', import.meta.url);

interface Step {
  readonly name: string;
  readonly run: string;
}

interface PackageFile {
  readonly scripts: Readonly<Record<string, string>>;
}

/** @throws Error with what GitHub would say of it */
async function stepsOf(content: string): Promise<readonly Step[]> {
  const { context, value } = parseWorkflow(
    { name: 'pipelines.yml', content },
    new NoOperationTraceWriter(),
  );
  const template = value && (await convertWorkflowTemplate(context, value));
  const errors = context.errors.getErrors().map(({ message }) => message);
  if (template === undefined || errors.length > 0) throw new Error(errors.join('\n'));
  return template.jobs.flatMap((job) =>
    job.type !== 'job'
      ? []
      : job.steps.flatMap((step) =>
          'run' in step ? { name: String(step.name), run: step.run.toDisplayString() } : [],
        ),
  );
}

/** Lines of the script that run a check, in order. */
function checksOf(script: string): readonly Step[] {
  const lines = script.matchAll(/^ *check (?:'([^']+)'|"\$name") (npm|npx) (.+)$/gm);
  return [...lines].map(([, name = 'real llama-server', program, args]) => ({
    name,
    run: `${program} ${args}`,
  }));
}

test('OC-TEST-7903 the workflow has the steps of .ci/run, in their order', async () => {
  const steps = await stepsOf(readFileSync(WORKFLOW, 'utf8'));
  const checks = checksOf(readFileSync(SCRIPT, 'utf8'));
  expect(checks.length).toBeGreaterThan(6);
  const building = { name: 'llama-server from source', run: 'npm run --silent build:llama-server' };
  expect(steps).toContainEqual(building);
  // In the script functions stand before what calls them.
  const real = checks.filter(({ name }) => name === 'real llama-server');
  const others = checks.filter(({ name }) => name !== 'real llama-server');
  expect(steps.filter(({ name }) => name !== building.name)).toEqual([
    ...others.slice(0, -2),
    ...real,
    ...others.slice(-2),
  ]);
});

test('a workflow that GitHub would refuse is refused', async () => {
  const good = readFileSync(WORKFLOW, 'utf8');
  await expect(stepsOf(good.replace('runs-on:', 'run-on:'))).rejects.toThrow('run-on');
  await expect(stepsOf(good.replace('${{ github.ref }}', '${{ github.'))).rejects.toThrow();
});

test('OC-TEST-7907 the nightly workflow is one too, and every script and file that it names is there', async () => {
  const content = readFileSync(NIGHTLY, 'utf8');
  expect(await stepsOf(content)).toContainEqual({ name: 'run', run: '${{ matrix.run }}' });
  const { scripts } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as PackageFile;
  const named = [...content.matchAll(/npm run --silent ([\w:-]+)/g)].map(
    ([, script = '']) => script,
  );
  expect(named.length).toBeGreaterThan(4);
  expect(named.filter((script) => scripts[script] === undefined)).toEqual([]);
  const paths = [...content.matchAll(/test-harness\/[\w/.-]+/g)].map(([path]) => path);
  expect(paths.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([]);
});
