/** How many connections of clients the daemon takes, so that it can still reach its engines. */
import process from 'node:process';

/** Where the system sets no tighter limit. */
const MOST_CONNECTIONS = 10_000;

/**
 * Half of the files that the process may have open: most clients' streams have one to an engine behind them,
 * and the ledger needs some. Clients who could take all of them would fail tasks that were accepted.
 * @param openFiles the process's limit on open files; undefined where there is none
 */
export function connectionLimit(openFiles: number | undefined): number {
  return Math.max(1, Math.min(MOST_CONNECTIONS, Math.floor((openFiles ?? Infinity) / 2)));
}

/** RLIMIT_NOFILE of this process; undefined where it is unlimited or the system has no such limit. */
export function openFilesLimit(): number | undefined {
  // Names of the peers of open sockets would be asked for, one by one.
  const report = process.report as typeof process.report & { excludeNetwork: boolean };
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } };
  };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : undefined;
}
