/**
 * Reads a PromQL query with the parser of Prometheus' own web page and holds it against the list: every
 * series and label it names exists, counters are read as rates, and what it joins can match.
 */
import { parser } from '@prometheus-io/lezer-promql';
import {
  closedValues,
  labelsOf,
  seriesNamed,
  type MetricsContract,
  type SeriesName,
} from './contract-list.ts';

type Node = ReturnType<typeof parser.parse>['topNode'];

/** What Prometheus adds to every series it scrapes. */
const TARGET_LABELS = ['instance', 'job'];
/** A series of Prometheus' own about each target. */
const UP = 'up';

/** What a query may name beside the list: recording rules, with the labels of what they record. */
export type RecordedSeries = ReadonlyMap<string, readonly string[]>;

export interface QueryReport {
  /** One line each; empty for a query that can work. */
  readonly faults: readonly string[];
  /** The labels of what it gives. */
  readonly labels: readonly string[];
  /** Families of the list that it reads. */
  readonly families: readonly string[];
}

export function checkQuery(
  contract: MetricsContract,
  query: string,
  recorded: RecordedSeries = new Map(),
): QueryReport {
  const reader = new QueryReader(contract, query, recorded);
  const labels = reader.read();
  const families = [...reader.families].toSorted();
  return { faults: reader.faults, labels: [...labels].toSorted(), families };
}

type Labels = ReadonlySet<string>;
const NONE: Labels = new Set();

const SCALARS = new Set(['NumberDurationLiteral', 'StringLiteral']);
const COUNTER_READERS = new Set(['rate', 'irate', 'increase', 'resets']);
/** Without labels, whatever they are asked of. */
const LABELLESS = new Set(['absent', 'absent_over_time', 'scalar', 'time', 'vector']);
/** What they do to labels depends on their text. */
const REFUSED = new Set(['label_replace', 'label_join', 'info']);
const SET_OPERATORS = new Set(['And', 'Or', 'Unless']);

class QueryReader {
  readonly faults: string[] = [];
  readonly families = new Set<string>();
  readonly #contract: MetricsContract;
  readonly #query: string;
  readonly #recorded: RecordedSeries;

  constructor(contract: MetricsContract, query: string, recorded: RecordedSeries) {
    this.#contract = contract;
    this.#query = query;
    this.#recorded = recorded;
  }

  read(): Labels {
    const tree = parser.parse(this.#query);
    let isBroken = false;
    tree.iterate({ enter: ({ type }) => void (isBroken ||= type.isError) });
    const [expression] = childrenOf(tree.topNode);
    if (isBroken || expression === undefined) {
      this.faults.push(`is no PromQL: ${this.#query}`);
      return NONE;
    }
    return this.#labels(expression);
  }

  #text({ from, to }: Node): string {
    return this.#query.slice(from, to);
  }

  /** @param inRate the node is what a rate is taken of */
  #labels(node: Node, inRate = false): Labels {
    switch (node.name) {
      case 'VectorSelector':
        return this.#selector(node, inRate);
      case 'AggregateExpr':
        return this.#aggregate(node);
      case 'FunctionCall':
        return this.#call(node);
      case 'BinaryExpr':
        return this.#binary(node);
      default: {
        // Parentheses, ranges, offsets and signs change no label.
        const [inner] = expressionsOf(node);
        return inner === undefined ? NONE : this.#labels(inner, inRate);
      }
    }
  }

  #selector(node: Node, inRate: boolean): Labels {
    const identifier = node.getChild('Identifier');
    const name = identifier === null ? '' : this.#text(identifier);
    const series = seriesNamed(this.#contract, name);
    const recorded = name === UP ? [] : this.#recorded.get(name);
    if (series === undefined && recorded === undefined) {
      this.faults.push(`there is no metric '${name}'`);
      return NONE;
    }
    if (series !== undefined) {
      this.families.add(series.family.name);
      const grows = series.family.type !== 'gauge';
      if (grows && !inRate) this.faults.push(`${name} only grows: a rate of it tells something`);
      if (!grows && inRate) this.faults.push(`${name} is a gauge: it has no rate`);
    }
    const own = series === undefined ? (recorded ?? []) : labelsOf(series);
    const labels = new Set([...own, ...TARGET_LABELS]);
    for (const matcher of node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ??
      []) {
      this.#matcher(matcher, name, labels, series);
    }
    return labels;
  }

  #matcher(node: Node, name: string, labels: Labels, series: SeriesName | undefined): void {
    const [labelNode, operator, valueNode] = childrenOf(node);
    if (labelNode === undefined || operator === undefined || valueNode === undefined) return;
    const label = this.#text(labelNode);
    if (!labels.has(label)) {
      this.faults.push(`${name} has no label '${label}'`);
      return;
    }
    const closed = series && closedValues(this.#contract, series.family, label);
    if (closed === undefined) return;
    const text = this.#text(valueNode).slice(1, -1);
    const isPattern = this.#text(operator).endsWith('~');
    for (const value of isPattern ? text.split('|') : [text]) {
      // Patterns and the variables of a dashboard stand for more than one word.
      if (!/^[\w.-]+$/.test(value) || closed.includes(value)) continue;
      this.faults.push(`${label} of ${name} is never '${value}'`);
    }
  }

  #aggregate(node: Node): Labels {
    const inner = expressionsOf(node).reduce<Labels>(
      (known, each) => (isScalar(each) ? known : this.#labels(each)),
      NONE,
    );
    const modifier = node.getChild('AggregateModifier');
    if (modifier === null) return NONE;
    const named = this.#groupingLabels(modifier, inner);
    return modifier.getChild('By') === null ? without(inner, named) : new Set(named);
  }

  #groupingLabels(node: Node, available: Labels): readonly string[] {
    const named = (node.getChild('GroupingLabels')?.getChildren('LabelName') ?? []).map((each) =>
      this.#text(each),
    );
    for (const label of named) {
      if (!available.has(label)) this.faults.push(`nothing there has the label '${label}'`);
    }
    return named;
  }

  #call(node: Node): Labels {
    const identifier = node.getChild('FunctionIdentifier');
    const name = identifier === null ? '' : this.#text(identifier);
    if (REFUSED.has(name)) this.faults.push(`${name} hides which labels there are`);
    const inner = expressionsOf(node)
      .filter((each) => !isScalar(each))
      .reduce<Labels>((_, each) => this.#labels(each, COUNTER_READERS.has(name)), NONE);
    if (LABELLESS.has(name)) return NONE;
    if (name !== 'histogram_quantile') return inner;
    if (!inner.has('le')) this.faults.push('a quantile needs the label le of the buckets');
    return without(inner, ['le']);
  }

  #binary(node: Node): Labels {
    const [leftNode, rightNode] = expressionsOf(node);
    if (leftNode === undefined || rightNode === undefined) return NONE;
    const left = this.#labels(leftNode);
    const right = this.#labels(rightNode);
    if (isScalar(leftNode)) return right;
    if (isScalar(rightNode)) return left;
    const matching = node.getChild('MatchingModifierClause');
    const operator = childrenOf(node)[1]?.name ?? '';
    if (matching?.getChild('On')) {
      const on = this.#groupingLabels(matching, intersection(left, right));
      if (SET_OPERATORS.has(operator) || matching.getChild('GroupLeft')) return left;
      return matching.getChild('GroupRight') ? right : new Set(on);
    }
    const ignored = matching === null ? [] : this.#groupingLabels(matching, union(left, right));
    const [one, other] = [without(left, ignored), without(right, ignored)];
    if (operator !== 'Or' && !isSame(one, other)) {
      this.faults.push(`{${[...one].join()}} and {${[...other].join()}} never match`);
    }
    return operator === 'Or' ? union(left, right) : left;
  }
}

function childrenOf(node: Node): readonly Node[] {
  const children: Node[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
  return children;
}

/** Operands and arguments, also those within the body of a call. */
function expressionsOf(node: Node): readonly Node[] {
  const body = node.getChild('FunctionCallBody') ?? node;
  return body.getChildren('Expr');
}

function isScalar(node: Node): boolean {
  if (node.name === 'BinaryExpr') return expressionsOf(node).every(isScalar);
  if (node.name === 'ParenExpr' || node.name === 'UnaryExpr') {
    return expressionsOf(node).every(isScalar);
  }
  return SCALARS.has(node.name);
}

function without(labels: Labels, names: readonly string[]): Labels {
  return new Set([...labels].filter((label) => !names.includes(label)));
}

function union(one: Labels, other: Labels): Labels {
  return new Set([...one, ...other]);
}

function intersection(one: Labels, other: Labels): Labels {
  return new Set([...one].filter((label) => other.has(label)));
}

function isSame(one: Labels, other: Labels): boolean {
  return one.size === other.size && [...one].every((label) => other.has(label));
}
