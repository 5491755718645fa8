/** The suite itself: each of these faults is found, and named. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseMetrics } from '../src/metrics-text.ts';
import { PROJECT_ROOT } from '../src/temp-config.ts';
import { checkRules, readRules, readRunbook, type Rule } from './alert-check.ts';
import { checkList, readContract, type Family, type MetricsContract } from './contract-list.ts';
import { checkDashboard, readDashboards, type Dashboard, type Panel } from './dashboard-check.ts';
import { checkScrape } from './scrape-check.ts';
import { checkSpec, readSpec } from './spec-table.ts';
import { Tally } from './tally.ts';

const contract = readContract();
