/** What a requirement's id looks like, wherever it is named: `ORCH-` or `OC-ROOM-` and four digits. */
const ID = /\b(?:ORCH|OC(?:-[A-Z]+)+)-\d{4}\b/g;

/** Every id that a text names, each once, in the order of first mention. */
export function idsIn(text: string): readonly string[] {
  return [...new Set(text.match(ID) ?? [])];
}

/** One thing that keeps specs, contracts, code and tests from fitting together. */
export interface Fault {
  /** Path from the repository's root, with a line where one is known. */
  readonly at: string;
  readonly message: string;
}
