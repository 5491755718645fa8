/** Columns of text, words to the left and figures to the right. */

const WORDS_FIRST: ReadonlySet<number> = new Set([0]);

/**
 * @param rows a string is a line that heads those below it, after an empty one
 * @param words columns that hold words, from 0
 */
export function formatColumns(
  rows: readonly (readonly string[] | string)[],
  words: ReadonlySet<number> = WORDS_FIRST,
): string {
  const cells = rows.filter((row) => typeof row !== 'string');
  const columns = Math.max(0, ...cells.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const pad = (cell: string, column: number): string => {
    const width = widths[column] ?? 0;
    return words.has(column) ? cell.padEnd(width) : cell.padStart(width);
  };
  return rows
    .map((row) => (typeof row === 'string' ? `\n${row}` : row.map(pad).join('  ').trimEnd()))
    .join('\n');
}
