import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import * as prettier from 'prettier'
import { describe, expect, it } from 'vitest'
import { formatKeyPath } from './problem.ts'
import { fillReference, renderJsonSchema, renderTables } from './reference.ts'
import { configJsonSchema, keyJsonSchema } from './schema.ts'
import { schemaAt, walkKeys } from './schema-tree.ts'
import { configSettings } from './settings.ts'

const schemaFile = fileURLToPath(new URL('../../petals-chat.schema.json', import.meta.url))
const documentFile = fileURLToPath(new URL('../../../../docs/configuration.md', import.meta.url))

const format = async (text: string, file: string) =>
  prettier.format(text, { ...(await prettier.resolveConfig(file)), filepath: file })

const hint = 'A schema has changed. Generate the files again: npm run reference -w packages/cli'

describe('generated reference', () => {
  it('has the current JSON schema of the sections', async () => {
    await expect(await format(renderJsonSchema(), schemaFile)).toMatchFileSnapshot(schemaFile, hint)
  })

  it('has every key, flag and variable in docs/configuration.md', async () => {
    const document = await readFile(documentFile, 'utf8')
    for (const name of renderTables().keys()) expect(document).toContain(`<!-- generated: ${name} -->`)
    await expect(await format(fillReference(document), documentFile)).toMatchFileSnapshot(documentFile, hint)
  })
})

describe('configuration schema', () => {
  it('describes every key', () => {
    const schema = configJsonSchema()
    const undescribed = [...walkKeys(schema)]
      .filter(({ node }) => node.description === undefined && [...walkKeys(node)].length === 0)
      .map(({ path }) => formatKeyPath(path))
    expect(undescribed).toEqual([])
  })

  it('has asterisks only in code, because Markdown treats two of them as emphasis', () => {
    const bare = [...walkKeys(configJsonSchema())]
      .filter(({ node }) => node.description?.replaceAll(/`[^`]*`/g, '').includes('*'))
      .map(({ path }) => formatKeyPath(path))
    expect(bare).toEqual([])
  })

  it('has the key that each flag sets', () => {
    const schema = configJsonSchema()
    for (const { path, flag } of configSettings) expect(schemaAt(schema, path), flag).toBeDefined()
  })

  it('has the same schema of such a key alone', () => {
    const { $schema } = configJsonSchema() as { readonly $schema?: string }
    for (const { path, flag } of configSettings)
      expect({ $schema, ...schemaAt(configJsonSchema(), path) }, flag).toEqual(keyJsonSchema(path))
    expect(keyJsonSchema(['server', 'prot'])).toBeUndefined()
    expect(keyJsonSchema(['preload', 'first'])).toBeUndefined()
  })
})
