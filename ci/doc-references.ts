/** What documents refer to: links and anchors into the repository, and npm scripts. */

/** Path from the repository's root → text of each document. */
export type Documents = ReadonlyMap<string, string>;

export interface Repository {
  /** Whether a path from the root is a file or a folder. */
  readonly has: (path: string) => boolean;
  /** Names of the npm scripts. */
  readonly scripts: ReadonlySet<string>;
}

const LINK = /!?\[[^\]]*\]\(\s*<?([^\s)>]+)>?[^)]*\)/g;
const DEFINITION = /^\[[^\]]+\]:\s+(\S+)/gm;
const ELSEWHERE = /^([a-z][a-z0-9+.-]*:|\/\/)/i;
const SCRIPT = /\bnpm run (?:-\S+ )*([\w:-]+)/g;

/** One line for each reference that leads nowhere: `README.md: docs/x.md#y has no such heading`. */
export function brokenReferences(documents: Documents, repository: Repository): readonly string[] {
  return [...documents].flatMap(([path, text]) => [
    ...linksOf(text).flatMap((link) => {
      const fault = faultOf(link, path, documents, repository);
      return fault === undefined ? [] : [`${path}: ${link} ${fault}`];
    }),
    ...[...text.matchAll(SCRIPT)]
      .map((match) => match[1] ?? '')
      .filter((script) => !repository.scripts.has(script))
      .map((script) => `${path}: npm run ${script} is no script of package.json`),
  ]);
}

/** Link targets within the repository, outside of code. */
function linksOf(text: string): readonly string[] {
  const prose = withoutFences(text).replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(LINK), ...prose.matchAll(DEFINITION)]
    .map((match) => match[1] ?? '')
    .filter((target) => !ELSEWHERE.test(target));
}

function faultOf(
  link: string,
  from: string,
  documents: Documents,
  repository: Repository,
): string | undefined {
  const [file = '', anchor] = link.split('#', 2);
  // A base that leaves `..` nowhere to climb out to: a link may not leave the repository.
  const url = new URL(file, `file:///${from}`);
  const target = file === '' ? from : decodeURIComponent(url.pathname).replace(/^\/|\/$/g, '');
  if (!repository.has(target)) return 'is not there';
  if (anchor === undefined) return undefined;
  const text = documents.get(target);
  if (text === undefined) return 'has an anchor, but is no document';
  return anchorsOf(text).has(decodeURIComponent(anchor)) ? undefined : 'has no such heading';
}

/** Anchors of a document's headings, as GitHub makes them: a repeated one gets a number. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutFences(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const shown = heading.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = shown
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n += 1) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

function withoutFences(text: string): string {
  return text.replaceAll(/^( *)(```+|~~~+)[\s\S]*?^\1\2\s*$/gm, '');
}
