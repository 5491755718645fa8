import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/**
 * The house's arrows (docs/architecture.md): each room may import the rooms listed, by package name
 * only, and never by a path that leaves its own folder.
 */
const ROOMS = {
  contracts: [],
  'orchestrator-core': ['contracts'],
  'worker-adapters': ['contracts'],
  'pool-managerd': ['contracts', 'worker-adapters'],
  orchestratord: ['contracts', 'orchestrator-core', 'worker-adapters', 'pool-managerd'],
  'test-harness': [
    'contracts',
    'orchestrator-core',
    'worker-adapters',
    'pool-managerd',
    'orchestratord',
  ],
};
const ALL_ROOMS = Object.keys(ROOMS);

const boundary = (room, allowed) => {
  const forbidden = ALL_ROOMS.filter((other) => other !== room && !allowed.includes(other));
  const byPath = {
    regex: `^(\\.\\./)+(${ALL_ROOMS.join('|')})/`,
    message: 'Cross a room by its package name, not by a relative path.',
  };
  const byName = {
    group: forbidden.flatMap((other) => [`@llama-orch/${other}`, `@llama-orch/${other}/*`]),
    message: `${room} may import only: ${allowed.join(', ') || 'nothing'}.`,
  };
  return {
    files: [`${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: forbidden.length === 0 ? [byPath] : [byPath, byName] },
      ],
    },
  };
};

const IMPURE = 'orchestrator-core is pure: time, ids, randomness and I/O come in as arguments.';

export default tseslint.config(
  { ignores: ['**/node_modules/**', '**/generated/**', 'coverage/**', '.cache/**'] },
  js.configs.recommended,
  { languageOptions: { globals: globals.node } },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      eqeqeq: 'error',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
    },
  },
  ...Object.entries(ROOMS).map(([room, allowed]) => boundary(room, allowed)),
  {
    files: ['orchestrator-core/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'setTimeout',
          'setInterval',
          'setImmediate',
          'queueMicrotask',
          'performance',
          'process',
          'fetch',
          'crypto',
          'console',
          'require',
        ].map((name) => ({ name, message: IMPURE })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: IMPURE },
        { object: 'Math', property: 'random', message: IMPURE },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ImportDeclaration[source.value=/^node:/]', message: IMPURE },
        { selector: 'ImportExpression', message: IMPURE },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: IMPURE },
        {
          selector:
            'ImportDeclaration[source.value=/^@llama-orch\\u002fcontracts$/][importKind!="type"]',
          message: 'The core takes only types from contracts.',
        },
      ],
    },
  },
  {
    files: ['vitest.config.ts', '**/*.config.{js,ts}'],
    rules: { 'no-restricted-exports': 'off' },
  },
  {
    files: ['**/*.test.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
);
