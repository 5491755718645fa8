/** Finds the tests of a TypeScript file by its syntax, with the titles as the test runner shows them. */
import ts from 'typescript';

export interface TestTitle {
  /** Titles of the suites around it and its own, joined by ` > `. Template holes stand as `${…}`. */
  readonly title: string;
  readonly line: number;
  /** Whether it may be skipped where it runs (`skipIf`, `runIf`), by itself or with a suite around it. */
  readonly mayBeSkipped: boolean;
}

const CASES = new Set(['test', 'it']);
const SUITES = new Set(['describe', 'suite']);
/** Modifiers of what proves nothing. */
const NO_PROOF = new Set(['skip', 'todo', 'fails']);
const CONDITIONS = new Set(['skipIf', 'runIf']);
/** A suite made elsewhere and opened here: `describeAdapter('name', …)`. */
const MADE_SUITE = /^describe[A-Z]/;

/** Every test of a source text that is not switched off. */
export function testTitles(path: string, text: string): readonly TestTitle[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: TestTitle[] = [];
  const visit = (node: ts.Node, suites: readonly string[], isConditional: boolean): void => {
    const call = ts.isCallExpression(node) ? declaredBy(node) : undefined;
    if (call?.kind === 'nothing') return;
    const inside = call?.kind === 'suite' ? [...suites, ...call.titles] : suites;
    const mayBeSkipped = isConditional || (call?.isConditional ?? false);
    if (call?.kind === 'case') {
      const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
      for (const own of call.titles) {
        found.push({ title: [...suites, own].join(' > '), line, mayBeSkipped });
      }
    }
    ts.forEachChild(node, (child) => visit(child, inside, mayBeSkipped));
  };
  visit(source, [], false);
  return found;
}

type Declared =
  | {
      readonly kind: 'case' | 'suite';
      readonly titles: readonly string[];
      readonly isConditional: boolean;
    }
  | { readonly kind: 'nothing' };

/** What a call declares: `test('…')`, `test.each(table)('…')`, `kit.describe('…')`, and so on. */
function declaredBy(call: ts.CallExpression): Declared | undefined {
  const names = calleeNames(call.expression);
  const at = names.findIndex(
    (name) => CASES.has(name) || SUITES.has(name) || MADE_SUITE.test(name),
  );
  const [first] = call.arguments;
  const name = names[at];
  if (name === undefined || first === undefined) return undefined;
  const modifiers = names.slice(at + 1);
  if (modifiers.some((modifier) => NO_PROOF.has(modifier))) return { kind: 'nothing' };
  const isConditional = modifiers.some((modifier) => CONDITIONS.has(modifier));
  const title = textOf(first);
  if (title === undefined) return undefined;
  if (SUITES.has(name)) return { kind: 'suite', titles: [title], isConditional };
  return { kind: 'case', titles: rowTitles(title, tableOf(call.expression)), isConditional };
}

/** Names along a callee, from the left: `kit.test.each(table)` gives kit, test, each. */
function calleeNames(callee: ts.Expression): readonly string[] {
  if (ts.isIdentifier(callee)) return [callee.text];
  if (ts.isPropertyAccessExpression(callee)) {
    return [...calleeNames(callee.expression), callee.name.text];
  }
  if (ts.isCallExpression(callee)) return calleeNames(callee.expression);
  if (ts.isTaggedTemplateExpression(callee)) return calleeNames(callee.tag);
  return [];
}

/** The text of an expression made of literals; holes keep their source. Undefined for any other. */
function textOf(node: ts.Expression): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    const spans = node.templateSpans.map(
      ({ expression, literal }) => `\${${expression.getText()}}${literal.text}`,
    );
    return node.head.text + spans.join('');
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const left = textOf(node.left);
    const right = textOf(node.right);
    return left === undefined || right === undefined ? undefined : left + right;
  }
  return undefined;
}

/** The literal table of `each` or `for`, if that is what is called. */
function tableOf(callee: ts.Expression): ts.ArrayLiteralExpression | undefined {
  const table = ts.isCallExpression(callee) ? callee.arguments[0] : undefined;
  const bare = table && ts.isAsExpression(table) ? table.expression : table;
  return bare && ts.isArrayLiteralExpression(bare) ? bare : undefined;
}

/**
 * The titles of a table's rows, where rows fill in ids; else the title as it stands, once for all.
 */
function rowTitles(title: string, table: ts.ArrayLiteralExpression | undefined): readonly string[] {
  if (!table || !/\b(?:ORCH|OC)-[A-Z0-9-]*\d/.test(table.getText())) return [title];
  return table.elements.map((row) => filledIn(title, row));
}

function filledIn(title: string, row: ts.Expression): string {
  if (ts.isObjectLiteralExpression(row)) {
    return row.properties.reduce((text, property) => {
      if (!ts.isPropertyAssignment(property)) return text;
      return text.replaceAll(`$${property.name.getText()}`, shown(property.initializer));
    }, title);
  }
  const cells = ts.isArrayLiteralExpression(row) ? [...row.elements] : [row];
  return title.replaceAll(/%[sdifjop]/g, (hole) => {
    const cell = cells.shift();
    return cell ? shown(cell) : hole;
  });
}

function shown(value: ts.Expression): string {
  return textOf(value) ?? value.getText();
}
