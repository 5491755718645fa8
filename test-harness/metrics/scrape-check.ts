/** A scrape against the list, both ways: names, types, help, exact labels, their values, buckets, budgets. */
import { parseMetrics, type Sample, type Scrape } from '../src/metrics-text.ts';
import {
  closedValues,
  seriesNamed,
  type Family,
  type MetricsContract,
  type SeriesName,
} from './contract-list.ts';

/** What the daemon puts where there is no series left for a value (OC-METRICS-7111). */
const OTHER = 'other';

/** What is against the contract, one line each. */
export function checkScrape(contract: MetricsContract, text: string): readonly string[] {
  const scrape = parseMetrics(text);
  return [
    ...checkHeads(contract, scrape, text),
    ...scrape.samples.flatMap((sample) => checkSample(contract, sample)),
    ...contract.families.flatMap((family) => checkFamily(contract, family, scrape)),
  ];
}

function checkHeads(contract: MetricsContract, scrape: Scrape, text: string): string[] {
  const faults: string[] = [];
  const listed = new Map(contract.families.map((family) => [family.name, family]));
  for (const name of scrape.families.keys()) {
    if (!listed.has(name)) faults.push(`${name} is exported and not listed`);
  }
  const helps = new Map(
    [...text.matchAll(/^# HELP (\w+) (.*)$/gm)].map(([, name = '', help]) => [name, help]),
  );
  for (const [name, { type, help }] of listed) {
    const exported = scrape.families.get(name);
    if (exported === undefined) faults.push(`${name} is listed and not exported`);
    else if (exported !== type) faults.push(`${name} is a ${exported} and listed as ${type}`);
    else if (helps.get(name) !== help) faults.push(`${name}: its help is not the listed one`);
  }
  return faults;
}

function checkSample(contract: MetricsContract, { name, labels, value }: Sample): string[] {
  const series = seriesNamed(contract, name);
  if (series === undefined) return [`${name} is no series of the list`];
  const { family, suffix } = series;
  const faults: string[] = [];
  const given = Object.keys(labels).toSorted().join(',');
  const wanted = [...family.labels, ...(suffix === '_bucket' ? ['le'] : [])];
  if (given !== wanted.toSorted().join(',')) {
    faults.push(`${name} has the labels {${given}}, listed are {${wanted.join(',')}}`);
  }
  for (const [label, text] of Object.entries(labels)) {
    const closed = closedValues(contract, family, label);
    // Before a pool is chosen there is no engine.
    const isNone = text === '' && label === 'engine';
    if (closed === undefined || isNone || text === OTHER || closed.includes(text)) continue;
    faults.push(`${name}: ${label} may not be '${text}'`);
  }
  if (!isPlausible(family, value)) faults.push(`${name} is ${value} ${family.unit}`);
  return faults;
}

function isPlausible({ unit, type }: Family, value: number): boolean {
  if (!Number.isFinite(value) || value < 0) return false;
  if (type === 'gauge' && unit === 'ratio') return value <= 1;
  return unit !== 'percent' || value <= 100;
}

function checkFamily(contract: MetricsContract, family: Family, scrape: Scrape): string[] {
  const own = scrape.samples.flatMap((sample) => {
    const series = seriesNamed(contract, sample.name);
    return series?.family.name === family.name ? [{ ...sample, ...series }] : [];
  });
  const faults: string[] = [];
  if (own.length > contract.max_series_per_family) {
    faults.push(`${family.name} has ${own.length} series`);
  }
  if (family.buckets === undefined) return faults;
  for (const sets of Map.groupBy(own, setOf).values()) faults.push(...checkBuckets(family, sets));
  return faults;
}

type SeriesSample = Sample & SeriesName;

function setOf({ labels: { le: _le, ...labels } }: Sample): string {
  return JSON.stringify(labels);
}

/** Of one set of labels: the listed bounds, none smaller than the one before, the last as the count. */
function checkBuckets({ name, buckets = [] }: Family, own: readonly SeriesSample[]): string[] {
  const filled = own.filter(({ suffix }) => suffix === '_bucket');
  const bounds = filled.map(({ labels }) => labels['le']).join();
  if (bounds !== [...buckets, '+Inf'].join()) return [`${name} has the buckets ${bounds}`];
  const values = filled.map(({ value }) => value);
  const count = own.find(({ suffix }) => suffix === '_count')?.value;
  const grows = values.every((value, at) => at === 0 || value >= (values[at - 1] ?? 0));
  return grows && values.at(-1) === count ? [] : [`${name}: its buckets do not add up`];
}
