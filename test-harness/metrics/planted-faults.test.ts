/** The suite itself: each of these faults is planted, found, and named. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDaemonOverSim, type DaemonOverSim } from '../src/daemon-over-sim.ts';
import { parseMetrics } from '../src/metrics-text.ts';
import { checkRules, readRunbook, type Rule } from './alert-check.ts';
import { checkList, readContract, type Family, type MetricsContract } from './contract-list.ts';
import { checkDashboard, readDashboards, type Dashboard, type Panel } from './dashboard-check.ts';
import { checkScrape } from './scrape-check.ts';
import { checkSpec, readSpec } from './spec-table.ts';
import { Tally } from './tally.ts';

const contract = readContract();

/** The list with one family changed. */
function listWith(name: string, change: Partial<Family>): MetricsContract {
  const families = contract.families.map((each) =>
    each.name === name ? { ...each, ...change } : each,
  );
  return { ...contract, families };
}

describe('what the daemon exports', () => {
  let setUp: DaemonOverSim;
  let before: string;
  let exposition: string;
  let tokens: number;

  beforeAll(async () => {
    setUp = await startDaemonOverSim({ sim: { tokens: 7 } });
    const { client } = setUp.daemon;
    before = (await client.call('getMetrics')).text;
    tokens = (await client.run({ prompt: 'one' })).tokens.length;
    exposition = (await client.call('getMetrics')).text;
  });
  afterAll(() => setUp[Symbol.asyncDispose]());

  test('as it is, nothing is found', () => {
    expect(checkScrape(contract, exposition)).toEqual([]);
    expect(compared(exposition)).toEqual([]);
  });

  test.each([
    ['a metric renamed', /\btokens_out_total\b/g, 'tokens_sent_total', 'tokens_sent_total is exp'],
    ['a metric gone', /.*\bsse_streams_open\b.*\n/g, '', 'sse_streams_open is listed and not'],
    ['a label added', /(tokens_out_total\{)/g, '$1tenant="a",', 'tokens_out_total has the labels'],
    ['a label gone', /(queue_depth\{.*),priority="\w+"/g, '$1', 'queue_depth has the labels'],
    ['another type', 'TYPE replicas gauge', 'TYPE replicas counter', 'replicas is a counter'],
    ['another help', 'HELP replicas ', 'HELP replicas All ', 'replicas: its help'],
    ['a value of no list', 'finish_reason="stop"', 'finish_reason="eos"', "may not be 'eos'"],
    ['another bucket', /le="2500"/g, 'le="2000"', 'has the buckets'],
    ['a bucket that shrinks', /(queue_time_ms_bucket\{.*le="1"\S*) \d+/, '$1 9', 'do not add up'],
    ['what cannot be', /(gauge\nsse_streams_open) \d+/, '$1 -1', 'sse_streams_open is -1'],
  ])('%s', (_what, pattern, replacement, told) => {
    const wrong = exposition.replace(pattern, replacement);
    expect(wrong).not.toBe(exposition);
    expect(checkScrape(contract, wrong).join('\n')).toContain(told);
  });

  test('a label that grows with the requests', () => {
    const [line = ''] = exposition.match(/^tasks_failed_total.*|^lease_events_total.*$/m) ?? [];
    const many = Array.from({ length: 10_000 }, (_, n) =>
      line.replace(/pool_id="\w+"/, `pool_id="${n}"`),
    );
    const faults = checkScrape(contract, `${exposition}\n${many.join('\n')}\n`);
    expect(faults.join('\n')).toMatch(/has 100\d\d series/);
  });

  test('a counter that misses one, and one that counts one twice', () => {
    for (const off of [-1, 1]) {
      const wrong = exposition.replace(/^(tokens_out_total\S+) (\d+)$/m, (_, series, value) => {
        return `${String(series)} ${Number(value) + off}`;
      });
      const [fault] = compared(wrong);
      expect(fault).toContain(`rose by ${tokens + off}, counted were ${tokens}`);
    }
  });

  test('a counter that counts what it should, and something else besides', () => {
    const other =
      'tokens_out_total{engine="llamacpp",engine_version="",pool_id="q",replica_id=""} 3';
    const faults = compared(`${exposition}\n${other}\n`);
    expect(faults).toEqual([`tokens_out_total{} rose by ${tokens + 3}, counted were ${tokens}`]);
  });

  function compared(text: string): readonly string[] {
    const tally = new Tally();
    tally.add('tokens_out_total', { pool_id: 'default' }, tokens);
    return tally.compare(parseMetrics(before), parseMetrics(text));
  }
});

describe('the list and the spec', () => {
  test('a row of the spec with other labels, another type, or another unit', () => {
    const spec = readSpec();
    for (const wrong of [
      spec.replace('| reason engine ', '| reason '),
      spec.replace(/(`replicas` +\|) gauge/, '$1 counter'),
      spec.replace(/(`vram_used_bytes` +\| gauge +\|) bytes/, '$1 MiB'),
      spec.replace(/^\| `queue_depth`.*\n/m, ''),
    ]) {
      expect(wrong).not.toBe(spec);
      expect(checkSpec(contract, wrong)).not.toEqual([]);
    }
  });

  test.each([
    [listWith('replicas', { name: 'replicas_total' }), 'counters, and only they'],
    [listWith('ledger_commit_ms', { unit: 's' }), 'its unit is s'],
    [listWith('replicas', { labels: ['colour'] }), 'nothing says what colour may be'],
    [listWith('tasks_canceled_total', { values: {} }), 'nothing says what reason may be'],
    [listWith('replicas', { name: 'queue_depth' }), 'queue_depth is listed twice'],
  ])('a list that is not sound %#', (list, told) => {
    expect(checkList(list).join('\n')).toContain(told);
  });
});

describe('a dashboard', () => {
  const dashboard = [...readDashboards().values()][0]!;
  const at = dashboard.panels.findIndex(({ type }) => type === 'timeseries');
  const panel = dashboard.panels[at]!;
  const target = panel.targets![0]!;
  const withPanel = (change: Partial<Panel>): Dashboard => ({
    ...dashboard,
    panels: dashboard.panels.with(at, { ...panel, ...change }),
  });

  test.each([
    [{ targets: [{ ...target, expr: 'sum(rate(tokens_made_total[5m]))' }] }, 'no metric'],
    [{ targets: [{ ...target, expr: 'sum(rate(tasks_enqueued_total[5m])' }] }, 'no PromQL'],
    [{ targets: [{ ...target, expr: 'sum(queue_depth{pool_id=~"$pond"})' }] }, 'no $pond'],
    [{ targets: [{ ...target, legendFormat: '{{tenant}}' }] }, "no label 'tenant'"],
    [{ targets: [{ ...target, datasource: { type: 'prometheus', uid: 'P1' } }] }, 'datasource'],
    [{ targets: [target, target] }, 'one refId'],
    [{ targets: [] }, 'shows nothing'],
    [{ id: dashboard.panels[0]!.id }, 'two panels have one id'],
    [{ gridPos: dashboard.panels[0]!.gridPos }, 'lies on'],
    [{ gridPos: { ...panel.gridPos, x: 20 } }, 'not on the grid'],
    [{ fieldConfig: { defaults: {} } }, 'has no unit'],
    [{ description: '' }, 'says too little'],
  ] as const)('%#: it is told that "%s"', (change, told) => {
    expect(checkDashboard(contract, withPanel(change)).faults.join('\n')).toContain(told);
  });

  test('a variable of a metric that is not there', () => {
    const text = JSON.stringify(dashboard).replaceAll('label_values(queue_depth', 'label_values(q');
    const wrong = JSON.parse(text) as Dashboard;
    expect(checkDashboard(contract, wrong).faults).toContain("$pool: there is no metric 'q'");
  });
});

describe('an alert', () => {
  const sound: Rule = {
    alert: 'LlamaOrchDown',
    expr: 'up{job="llama-orch"} == 0',
    for: '1m',
    labels: { severity: 'critical' },
    annotations: { summary: 'down', runbook_url: 'docs/runbook.md#llamaorchdown' },
  };
  const faultsOf = (...rules: readonly Rule[]) =>
    checkRules(contract, { groups: [{ name: 'g', rules }] }, readRunbook()).faults.join('\n');

  test('as it is, nothing is found', () => {
    expect(faultsOf(sound)).toBe('');
  });

  test.each([
    [{ expr: 'queue_length > 0' }, 'no metric'],
    [{ expr: 'queue_depth >' }, 'no PromQL'],
    [{ for: '0m' }, 'no `for`'],
    [{ labels: {} }, 'no severity'],
    [{ annotations: {} }, 'no summary'],
    [{ annotations: { ...sound.annotations, summary: '{{ $labels.pool_id }}' } }, "'pool_id'"],
    [{ annotations: { summary: 'down', runbook_url: 'docs/runbook.md' } }, 'its runbook is'],
    [{ alert: 'LlamaOrchTired' }, 'no section in the runbook'],
  ])('%j is told: %s', (change, told) => {
    expect(faultsOf({ ...sound, ...change })).toContain(told);
  });

  test('two of one name, and a recording rule that nobody can place', () => {
    expect(faultsOf(sound, sound)).toContain('no name of its own');
    expect(faultsOf({ record: 'depth', expr: 'sum(queue_depth)' })).toContain('level:metric');
  });
});
