/**
 * The guard process: the one thing that outlives the daemon, for as long as it takes to kill what the
 * daemon left behind. Run as `node child-guard.ts MARK`.
 *
 * Its stdin is a pipe from the daemon. A line `+PID` registers a child's process group, `-PID` forgets
 * it. The kernel closes the pipe when the daemon ends, by whatever cause: then every registered group
 * gets SIGKILL, which also ends what is stopped, and the guard exits. Where there is a `/proc`, every
 * process whose environment carries MARK is killed too: that finds a child spawned in the instant
 * before its `+PID` was written, and grandchildren that left their group.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** The variable that marks every spawned child with its daemon's guard. */
const MARK_VARIABLE = 'LLAMA_ORCH_GUARD';
/** A process may fork while the others are being killed; look again until nothing is found. */
const SWEEPS = 10;

const mark = process.argv[2] ?? '';
const groups = new Set<number>();

// A terminal's Ctrl-C or a service manager's SIGTERM is for the daemon; the end of stdin is for us.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const pid = Number(line.slice(1));
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (line.startsWith('+')) groups.add(pid);
  else groups.delete(pid);
});
lines.on('close', () => {
  for (const pid of groups) kill(-pid);
  for (let sweep = 0; mark !== '' && sweep < SWEEPS && killMarked() > 0; sweep++);
  process.exit(0);
});

function killMarked(): number {
  const needle = `${MARK_VARIABLE}=${mark}\0`;
  let found = 0;
  for (const entry of processEntries()) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    if (!environmentOf(pid).includes(needle)) continue;
    found += 1;
    kill(pid);
  }
  return found;
}

function processEntries(): readonly string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

/** '' for a process that is gone, a zombie, or another user's. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
