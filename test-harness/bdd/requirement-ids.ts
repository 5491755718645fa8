import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/temp-config.ts';

/** The ids of all requirements that the specs state: `**ORCH-2001**` at its sentence. */
export function requirementIds(): ReadonlySet<string> {
  const directory = join(PROJECT_ROOT, '.specs');
  const specs = readdirSync(directory).filter((name) => name.endsWith('.md'));
  return new Set(
    specs.flatMap((name) => {
      const text = readFileSync(join(directory, name), 'utf8');
      return [...text.matchAll(/\*\*((?:ORCH|OC)(?:-[A-Z]+)*-\d+)\*\*/g)].map(([, id = '']) => id);
    }),
  );
}
