import { existsSync, readdirSync } from 'node:fs';
import process from 'node:process';

/** `npm run engine -- NAME [flags]`: a simulated engine, to try llama-orch without a GPU. */

const main = (name: string) => new URL(`${name}/main.ts`, import.meta.url);
const names = readdirSync(new URL('.', import.meta.url)).filter((name) => existsSync(main(name)));
const [name = ''] = process.argv.splice(2, 1);

if (names.includes(name)) {
  await import(main(name).href);
} else {
  console.error(`npm run engine -- ${names.join('|')} [--help] [--port N] …`);
  process.exitCode = 2;
}
