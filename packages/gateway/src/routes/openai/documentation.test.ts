import { chatRequestSchema, timingsSchema } from '@petals-chat/api'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'

const path = new URL('../../../../../docs/http-api.md', import.meta.url)

/** The text between two headings or bold words. */
async function section(from: string, to?: string): Promise<string> {
  const [, after = ''] = (await readFile(path, 'utf8')).split(from)
  return to === undefined ? after : after.split(to)[0]!
}

const unnamed = (names: readonly string[], text: string) =>
  names.filter((name) => !text.includes(`\`${name}`))

describe('docs/http-api.md', () => {
  it('names every extension and every figure of timings', async () => {
    const text = await section('## OpenAI-compatible API')
    const extensions = Object.entries(chatRequestSchema.shape).filter(([, schema]) =>
      schema.description?.includes('Extension'),
    )
    expect(
      unnamed(
        extensions.map(([name]) => name),
        text,
      ),
    ).toEqual([])
    expect(extensions.length).toBeGreaterThan(5)
    expect(unnamed(Object.keys(timingsSchema.shape), text)).toEqual([])
  })
})
