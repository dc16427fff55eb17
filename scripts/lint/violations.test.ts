import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const eslint = new ESLint({ cwd: root })

/** The rules that a text breaks if it stands in place of this file. Typed rules need a file that exists. */
async function brokenRules(file: string, text: string): Promise<readonly (string | null)[]> {
  const [result] = await eslint.lintText(text, { filePath: path.join(root, file) })
  return result!.messages.map(({ ruleId }) => ruleId)
}

const imports = (specifier: string): string =>
  `import * as planted from '${specifier}'\nexport const value = planted\n`

/** A file, and what must not stand there. */
const violations: Readonly<Record<string, readonly [rule: string, file: string, text: string]>> = {
  'a package that may not be imported': [
    'no-restricted-imports',
    'packages/petals/src/config.ts',
    imports('@petals-chat/hub'),
  ],
  'an entry of a package that may not be imported': [
    'no-restricted-imports',
    'packages/engine/src/abort.ts',
    imports('@petals-chat/hub/config'),
  ],
  'a package outside of the manifest': [
    'import-x/no-extraneous-dependencies',
    'packages/engine/src/abort.ts',
    imports('yauzl'),
  ],
  'a layer of petals that may not be imported': [
    'import-x/no-restricted-paths',
    'packages/petals/src/wire/protobuf.ts',
    imports('../dht/dht-client.ts'),
  ],
  'a type of a layer that may not be imported': [
    'import-x/no-restricted-paths',
    'packages/petals/src/wire/protobuf.ts',
    `export type { DhtClient } from '../dht/dht-client.ts'\n`,
  ],
  'a layer of llama that may not be imported': [
    'import-x/no-restricted-paths',
    'packages/llama/src/gguf/read-gguf.ts',
    imports('../tokenizer/gguf-tokenizer.ts'),
  ],
  'a layer of web that may not be imported': [
    'import-x/no-restricted-paths',
    'packages/web/src/chat/types.ts',
    imports('../state/answers.ts'),
  ],
  'libp2p in another package': ['no-restricted-imports', 'packages/gateway/src/config.ts', imports('libp2p')],
  'libp2p in another layer': [
    'no-restricted-imports',
    'packages/petals/src/routing/router.ts',
    imports('@libp2p/peer-id'),
  ],
  'koffi in another package': [
    'no-restricted-imports',
    'packages/petals/src/layers/local-layers.ts',
    imports('koffi'),
  ],
  'node-llama-cpp in another package': [
    'no-restricted-imports',
    'packages/cli/src/runtime.ts',
    imports('node-llama-cpp'),
  ],
  'pino in another package': ['no-restricted-imports', 'packages/engine/src/logger.ts', imports('pino')],
  'zod in the page': [
    '@typescript-eslint/no-restricted-imports',
    'packages/web/src/main.tsx',
    `import { z } from 'zod'\nexport const value = z\n`,
  ],
  'printing in a library': ['no-console', 'packages/hub/src/config.ts', `console.log('planted')\n`],
  'an environment variable in a library': [
    'no-restricted-syntax',
    'packages/hub/src/config.ts',
    `export const home = process.env['HOME']\n`,
  ],
  'an error logged under a name that loggers drop': [
    'no-restricted-syntax',
    'packages/hub/src/config.ts',
    `declare const logger: { warn(fields: object, text: string): void }\nlogger.warn({ error: new Error() }, 'planted')\n`,
  ],
  'a second import of the same module': [
    'import-x/no-duplicates',
    'packages/hub/src/config.ts',
    `import type { Stats } from 'node:fs'\nimport { statSync } from 'node:fs'\nexport const stat: (path: string) => Stats = statSync\n`,
  ],
  'the other name of `it`': [
    'no-restricted-imports',
    'packages/hub/src/config.test.ts',
    `import { test } from 'vitest'\ntest('planted', () => {})\n`,
  ],
  'a promise that nothing awaits': [
    '@typescript-eslint/no-floating-promises',
    'packages/hub/src/config.ts',
    `Promise.resolve(1)\n`,
  ],
}

describe('the linter refuses', () => {
  it.each(Object.entries(violations))(
    '%s',
    async (_, [rule, file, text]) => {
      expect(await brokenRules(file, text)).toContain(rule)
    },
    120_000,
  )
})

describe('the linter allows', () => {
  it.each([
    ['a package that a row names', 'packages/gateway/src/config.ts', imports('@petals-chat/api')],
    ['a layer that a row names', 'packages/petals/src/dht/dht-client.ts', imports('../wire/protobuf.ts')],
    ['libp2p at its home', 'packages/petals/src/p2p/peer-id.ts', imports('@libp2p/peer-id')],
    [
      'a type of the API in the page',
      'packages/web/src/main.tsx',
      `export type { ChatRequest } from '@petals-chat/api'\n`,
    ],
    [
      'the whole environment for a child process',
      'packages/hub/src/config.ts',
      `export const environment = { ...process.env }\n`,
    ],
  ])(
    '%s',
    async (_, file, text) => {
      expect(await brokenRules(file, text)).toEqual([])
    },
    120_000,
  )
})
