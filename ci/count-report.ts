/** `npm run ci:count -- REPORT NAME`: the counts of one report as a row of CI's table. */
import { readCounts, toTsv } from './suite-report.ts';

const [file = '', name = ''] = process.argv.slice(2);
process.stdout.write(toTsv([{ name: `  ${name}`, seconds: 0, ...readCounts(file) }]));
