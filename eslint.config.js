import { readdirSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript'
import { importX } from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'
import { heavyDependencies, layers, packageImports } from './scripts/lint/layers.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))

/** Rules for the imports of other packages and of heavy dependencies below `place`. */
const importRules = (name, place) => ({
  'no-restricted-imports': [
    'error',
    {
      patterns: [
        {
          group: ['@petals-chat/*', ...packageImports[name].map((other) => `!@petals-chat/${other}`)],
          message: `packages/${name} may import only: ${packageImports[name].join(', ') || 'no other package'} (docs/architecture.md).`,
        },
        ...heavyDependencies
          .filter(({ home }) => !`${place}/`.startsWith(`${home}/`))
          .map(({ names, home }) => ({ group: names, message: `Only ${home} may import this.` })),
      ],
    },
  ],
})

const tests = ['**/*.test.ts', '**/*.test.tsx']

/** A later entry replaces an earlier one: the folders that own a heavy dependency come after their package. */
const packageRules = Object.keys(packageImports).flatMap((name) => {
  const source = `packages/${name}/src`
  const homes = heavyDependencies.map(({ home }) => home).filter((home) => home.startsWith(`${source}/`))
  return [source, ...homes].map((place) => ({
    files: [`${place}/**/*.{ts,tsx}`],
    ignores: tests,
    rules: importRules(name, place),
  }))
})

const errorsLoggedAsErr = {
  selector:
    'CallExpression[callee.property.name=/^(debug|info|warn|error)$/] > ObjectExpression.arguments:first-child > Property[key.name=/^(error|cause)$/]',
  message: 'Log an error as `err`: loggers write it as {} under any other name.',
}

/** `process.env.NAME`; a child process may be given the whole of `process.env`. */
const variablesAreRead = {
  selector: 'MemberExpression[object.object.name="process"][object.property.name="env"]',
  message:
    'Only packages/cli reads the environment; a package takes what it needs as config (docs/architecture.md).',
}

const filesOf = (place) =>
  readdirSync(path.join(root, place), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)

const layerZones = Object.entries(layers).flatMap(([name, { shared, folders }]) =>
  Object.entries(folders).map(([folder, allowed]) => ({
    target: `./packages/${name}/src/${folder}`,
    from: `./packages/${name}/src`,
    except: [folder, ...allowed, ...(shared ?? filesOf(`packages/${name}/src`))].map((place) => `./${place}`),
    message: `${name}/src/${folder} may import only: ${allowed.join(', ') || 'no other folder'} (docs/architecture.md).`,
  })),
)

/** The page takes types from `api`; its bundle has none of that package's code, and no zod. */
const pageTypesOnly = {
  files: ['packages/web/src/**/*.{ts,tsx}'],
  ignores: tests,
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: ['@petals-chat/api', 'zod'],
            allowTypeImports: true,
            message:
              'The page imports only types from here: zod stays out of its bundle (docs/architecture.md).',
          },
        ],
      },
    ],
  },
}

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      'packages/cli/bundle/**',
      '**/node_modules/**',
      '.cache/**',
      'artifacts/**',
      '**/*.generated.ts',
      '**/.venv/**',
    ],
  },
  ...tseslint.configs.recommended,
  {
    files: [
      'packages/*/src/**/*.ts',
      'packages/*/src/**/*.tsx',
      'tests/**/*.ts',
      'bench/**/*.ts',
      'swarm/**/*.ts',
      'examples/**/*.ts',
    ],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/resolver-next': [
        createTypeScriptImportResolver({
          project: root,
          conditionNames: ['petals-chat-source', 'types', 'import', 'node', 'default'],
        }),
      ],
    },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      'import-x/no-duplicates': ['error', { 'prefer-inline': true }],
      'import-x/no-restricted-paths': ['error', { basePath: root, zones: layerZones }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/only-throw-error': [
        'error',
        { allowThrowingUnknown: true, allowThrowingAny: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-syntax': ['error', errorsLoggedAsErr],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['packages/*/src/**/*.ts', 'packages/*/src/**/*.tsx'],
    ignores: [...tests, 'packages/web/**'],
    rules: { 'import-x/no-extraneous-dependencies': 'error' },
  },
  {
    // Tests may stand across layers.
    files: [...tests, '**/fixtures/**'],
    rules: { 'import-x/no-restricted-paths': 'off' },
  },
  {
    files: tests,
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: [{ name: 'vitest', importNames: ['test'], message: 'Write `it`, as all tests do.' }] },
      ],
    },
  },
  {
    // Only `cli` reads the environment or prints.
    files: ['packages/{api,engine,ggml,hub,llama,petals,contribute,blocks,gateway}/src/**/*.ts'],
    ignores: [...tests, '**/testing/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-syntax': ['error', errorsLoggedAsErr, variablesAreRead],
    },
  },
  ...packageRules,
  pageTypesOnly,
)
