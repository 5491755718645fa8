/**
 * Loaded into each of vitest's workers: from here on Node measures what they start, processes and threads. Not
 * the workers themselves, which run other code than that on disk: vitest measures those.
 */
import { COVERAGE_FOLDER, childEnvironment } from './measured-folder.ts';

Object.assign(process.env, childEnvironment(process.env[COVERAGE_FOLDER] ?? ''));
