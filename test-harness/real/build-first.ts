/** Builds llama-server before the first test, unless it is built already. */
import type { TestProject } from 'vitest/node';
import { buildLlamaServer } from '../llama-server/build.ts';
import { llamaServerRecipe } from '../llama-server/recipe.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The path of the binary. */
    llamaServer: string;
  }
}

export async function setup(project: TestProject): Promise<void> {
  const { env } = process;
  const say = (line: string): void => console.log(line);
  project.provide('llamaServer', await buildLlamaServer(llamaServerRecipe({ env }), { env, say }));
}
