/** Grafana's dashboards of `ci/dashboards` against the list, and against what Grafana needs of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import type { MetricsContract } from './contract-list.ts';
import { checkQuery } from './query-check.ts';

export interface GridPos {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPos;
  readonly datasource?: Datasource;
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: Datasource;
  }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
}

interface Datasource {
  readonly type: string;
  readonly uid: string;
}

interface Variable {
  readonly name: string;
  readonly type: 'datasource' | 'query' | 'custom';
  readonly query: string | { readonly query: string };
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

const DIRECTORY = join(PROJECT_ROOT, 'ci', 'dashboards');

/** Every dashboard, by the name of its file. */
export function readDashboards(): ReadonlyMap<string, Dashboard> {
  const files = readdirSync(DIRECTORY).filter((file) => file.endsWith('.json'));
  return new Map(
    files.map((file) => [
      file,
      JSON.parse(readFileSync(join(DIRECTORY, file), 'utf8')) as Dashboard,
    ]),
  );
}

export interface DashboardReport {
  /** One line each. */
  readonly faults: readonly string[];
  /** Families of the list that it shows. */
  readonly families: readonly string[];
}

/** Grafana 10.1 and later read it. */
const SCHEMA_VERSION = 39;
const GRID_WIDTH = 24;
const UNITS = /^(?:short|cps|ms|bytes|percent|percentunit|suffix: \S+)$/;
const DATASOURCE = '${datasource}';

export function checkDashboard(contract: MetricsContract, dashboard: Dashboard): DashboardReport {
  const variables = dashboard.templating.list;
  const faults = [...checkFrame(dashboard), ...checkGrid(dashboard.panels)];
  const families = new Set<string>();
  const check = (where: string, expr: string): readonly string[] => {
    const report = checkQuery(contract, filled(expr), new Map());
    faults.push(...report.faults.map((fault) => `${where}: ${fault}`));
    faults.push(...unknownVariables(expr, variables).map((name) => `${where}: no $${name}`));
    for (const family of report.families) families.add(family);
    return report.labels;
  };
  for (const panel of dashboard.panels) {
    if (panel.type === 'row') continue;
    faults.push(...checkPanel(panel));
    for (const { refId, expr, legendFormat } of panel.targets ?? []) {
      const where = `${panel.title} ${refId}`;
      const labels = check(where, expr);
      for (const [, label = ''] of legendFormat.matchAll(/\{\{\s*(\w+)\s*\}\}/g)) {
        if (!labels.includes(label)) faults.push(`${where}: its legend has no label '${label}'`);
      }
    }
  }
  for (const variable of variables) {
    if (variable.type !== 'query') continue;
    const text = typeof variable.query === 'string' ? variable.query : variable.query.query;
    const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(text) ?? [];
    check(`$${variable.name}`, `sum by (${String(label)}) (${String(metric)})`);
  }
  return { faults, families: [...families] };
}

/** Grafana's own variables as it fills them in; those of the dashboard stay, within quotes, as they are. */
function filled(expr: string): string {
  return expr.replaceAll('$__rate_interval', '5m').replaceAll('$__range', '3h');
}

function unknownVariables(expr: string, variables: readonly Variable[]): readonly string[] {
  const named = [...filled(expr).matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name);
  return named.filter((name) => !variables.some((each) => each.name === name));
}

function checkFrame({ uid, title, schemaVersion, templating, panels }: Dashboard): string[] {
  const faults: string[] = [];
  if (!/^[\w-]{1,40}$/.test(uid)) faults.push(`its uid is '${uid}'`);
  if (title === '') faults.push('it has no title');
  if (schemaVersion !== SCHEMA_VERSION) faults.push(`its schema is ${schemaVersion}`);
  const [first] = templating.list;
  if (first?.name !== 'datasource' || first.type !== 'datasource' || first.query !== 'prometheus') {
    faults.push('its first variable is not the Prometheus datasource');
  }
  const ids = panels.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) faults.push('two panels have one id');
  return faults;
}

function checkPanel({ title, description = '', datasource, targets = [], fieldConfig }: Panel) {
  const faults: string[] = [];
  if (title === '' || description === '') faults.push(`${title}: says too little of itself`);
  if (!UNITS.test(fieldConfig?.defaults.unit ?? '')) faults.push(`${title}: has no unit`);
  if (targets.length === 0) faults.push(`${title}: shows nothing`);
  for (const source of [datasource, ...targets.map((target) => target.datasource)]) {
    const isVariable = source?.type === 'prometheus' && source.uid === DATASOURCE;
    if (!isVariable) faults.push(`${title}: its datasource is not the variable`);
  }
  const refs = targets.map(({ refId }) => refId);
  if (new Set(refs).size !== refs.length) faults.push(`${title}: two queries have one refId`);
  return faults;
}

function checkGrid(panels: readonly Panel[]): readonly string[] {
  const faults: string[] = [];
  for (const [at, { title, gridPos }] of panels.entries()) {
    const { x, y, w, h } = gridPos;
    const isInside = x >= 0 && y >= 0 && w > 0 && h > 0 && x + w <= GRID_WIDTH;
    if (!isInside) faults.push(`${title}: is not on the grid`);
    for (const other of panels.slice(at + 1)) {
      if (overlap(gridPos, other.gridPos)) faults.push(`${title} lies on ${other.title}`);
    }
  }
  return faults;
}

function overlap(one: GridPos, other: GridPos): boolean {
  return (
    one.x < other.x + other.w &&
    other.x < one.x + one.w &&
    one.y < other.y + other.h &&
    other.y < one.y + one.h
  );
}
