import { OrchError } from '@llama-orch/contracts';

/** What a person who started a program that did not come up needs to hear. */
export function explainFailure(error: unknown): string {
  if (error instanceof OrchError) {
    const details = (error.details ?? []).map((each) => `  ${each.path} ${each.message}`);
    return [error.message, ...details].join('\n');
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${error.message}; another program listens there (choose another port, such as --port, or 0 for a free one)`;
  }
  // What the operating system refused needs no stack to be understood.
  if (error instanceof Error && 'syscall' in error) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
