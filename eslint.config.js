import { fileURLToPath } from 'node:url'
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript'
import { importX } from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

const root = fileURLToPath(new URL('.', import.meta.url))

/** Which packages may import which (docs/architecture.md): the rest is refused. */
const packageImports = {
  api: [],
  engine: [],
  hub: ['engine'],
  llama: ['engine'],
  petals: ['engine'],
  contribute: ['engine'],
  gateway: ['api', 'engine'],
  web: ['api'],
}

/** Layers of packages/petals/src, and the sibling folders each may import. */
const petalsLayers = {
  tensor: [],
  wire: [],
  sampling: ['tensor'],
  p2p: ['wire'],
  layers: ['tensor'],
  rpc: ['p2p', 'wire'],
  dht: ['rpc', 'p2p', 'wire'],
  blocks: ['dht', 'p2p', 'wire'],
  routing: ['blocks', 'dht', 'p2p'],
  inference: ['routing', 'blocks', 'rpc', 'p2p', 'tensor', 'wire'],
  swarm: ['routing', 'blocks', 'layers', 'dht', 'rpc', 'p2p', 'wire'],
  session: ['inference', 'sampling', 'layers', 'blocks', 'p2p', 'tensor'],
  model: ['session', 'swarm', 'inference', 'layers', 'blocks', 'p2p'],
  speculation: ['sampling', 'layers', 'inference'],
}

/** Layers of packages/llama/src, and the sibling folders each may import. */
const llamaLayers = {
  machine: [],
  gguf: [],
  tokenizer: ['gguf'],
  'grammar/gbnf': [],
  'grammar/regular': ['grammar/gbnf'],
  'grammar/schema': ['grammar/regular', 'grammar/gbnf'],
  grammar: [],
  worker: ['machine'],
  session: ['worker', 'grammar'],
  child: [],
}

/** Layers of packages/web/src, and the sibling folders each may import. */
const webLayers = {
  api: [],
  chat: ['api'],
  i18n: ['chat'],
  ui: ['i18n'],
  markdown: ['ui', 'i18n'],
  storage: ['chat', 'api', 'i18n'],
  state: ['storage', 'chat', 'api', 'i18n'],
  swarm: ['api'],
  app: ['state', 'storage', 'chat', 'api', 'i18n'],
  components: ['app', 'state', 'storage', 'swarm', 'markdown', 'ui', 'chat', 'api', 'i18n'],
  testing: ['state', 'storage', 'chat', 'api'],
}

/** Each layer may import itself, the folders of its row, and the shared files of its package. */
const zonesOf = (name, layers, sharedFiles) =>
  Object.entries(layers).map(([layer, allowed]) => ({
    target: `./packages/${name}/src/${layer}`,
    from: `./packages/${name}/src`,
    except: [layer, ...allowed, ...sharedFiles].map((place) => `./${place}`),
    message: `${name}/src/${layer} may import only: ${allowed.join(', ') || 'nothing beside it'} (docs/architecture.md).`,
  }))

const layerZones = [
  ...zonesOf('petals', petalsLayers, ['errors.ts', 'config.ts']),
  ...zonesOf('llama', llamaLayers, ['protocol.ts', 'config.ts']),
  ...zonesOf('web', webLayers, ['store.ts']),
]

/** Heavy dependencies live in one place each. */
const heavyDependencies = [
  { names: ['libp2p', '@libp2p/*', '@chainsafe/*', '@multiformats/*'], home: 'packages/petals/src/p2p' },
  { names: ['onnxruntime-node', '@huggingface/tokenizers'], home: 'packages/petals/src/layers' },
  { names: ['node-llama-cpp'], home: 'packages/llama' },
  { names: ['hono', 'hono/*', '@hono/*', 'ws', 'prom-client'], home: 'packages/gateway' },
  { names: ['pino', 'pino-pretty', 'yaml', 'commander'], home: 'packages/cli' },
]

const packageRules = Object.entries(packageImports).map(([name, allowed]) => ({
  files: [`packages/${name}/src/**/*.{ts,tsx}`],
  ignores: ['**/*.test.ts', '**/*.test.tsx'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: ['@petals-chat/*', ...allowed.map((other) => `!@petals-chat/${other}`)],
            message: `packages/${name} may import only: ${allowed.join(', ') || 'no other package'} (docs/architecture.md).`,
          },
          ...heavyDependencies
            .filter(({ home }) => !home.startsWith(`packages/${name}`))
            .map(({ names, home }) => ({ group: names, message: `Only ${home} may import this.` })),
        ],
      },
    ],
  },
}))

const petalsFolderRules = heavyDependencies
  .filter(({ home }) => home.startsWith('packages/petals/'))
  .map(({ names, home }) => ({
    files: ['packages/petals/src/**/*.ts'],
    ignores: [`${home}/**`, '**/*.test.ts'],
    names,
    home,
  }))

/** The page takes types from `api`; its bundle has none of that package's code, and no zod. */
const pageTypesOnly = {
  files: ['packages/web/src/**/*.{ts,tsx}'],
  ignores: ['**/*.test.ts', '**/*.test.tsx'],
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
      'import-x/no-cycle': 'error',
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
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'CallExpression[callee.property.name=/^(debug|info|warn|error)$/] > ObjectExpression.arguments:first-child > Property[key.name=/^(error|cause)$/]',
          message: 'Log an error as `err`: loggers write it as {} under any other name.',
        },
      ],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    files: ['packages/*/src/**/*.ts', 'packages/*/src/**/*.tsx'],
    ignores: ['**/*.test.ts', '**/*.test.tsx', 'packages/web/**'],
    rules: { 'import-x/no-extraneous-dependencies': 'error' },
  },
  {
    // Tests may stand across layers.
    files: ['**/*.test.ts', '**/*.test.tsx'],
    rules: { 'import-x/no-restricted-paths': 'off' },
  },
  {
    // Only `cli` reads the environment or prints.
    files: ['packages/{api,engine,hub,llama,petals,contribute,gateway}/src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/testing/**'],
    rules: { 'no-console': 'error' },
  },
  ...packageRules,
  pageTypesOnly,
  ...petalsFolderRules.map(({ files, ignores, names, home }) => ({
    files,
    ignores,
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: [{ group: names, message: `Only ${home} may import this.` }] },
      ],
    },
  })),
)
