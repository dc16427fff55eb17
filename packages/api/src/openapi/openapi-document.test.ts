import { describe, expect, it } from 'vitest'
import { chatRequestSchema } from '../openai/chat-request.ts'
import { operations, operationTags } from '../operations.ts'
import { openApiDocument } from './openapi-document.ts'

const document = openApiDocument('1.2.3', '/')

function* referencesIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    if (key === '$ref') yield String(child)
    else yield* referencesIn(child)
  }
}

describe('openApiDocument', () => {
  it('refers only to schemas that it contains, and uses each of them', () => {
    const names = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)
    const references = new Set(referencesIn(document))
    expect([...references].filter((reference) => !names.includes(reference))).toEqual([])
    expect(names.filter((name) => !references.has(name))).toEqual([])
  })

  it('has every field that the server reads, with its limits', () => {
    const schema = document.components.schemas.ChatCompletionRequest as {
      readonly properties: Record<string, unknown>
      readonly required: readonly string[]
    }
    expect(Object.keys(schema.properties)).toEqual(Object.keys(chatRequestSchema.shape))
    expect(schema.required).toEqual(['messages'])
    expect(schema.properties.temperature).toMatchObject({
      anyOf: [{ type: 'number', minimum: 0, maximum: 100 }, {}],
    })
  })

  it('has a unique id for every operation', () => {
    const { paths } = document
    const ids = Object.values(paths).flatMap((item) =>
      Object.values(item).map((operation) => (operation as { operationId: string }).operationId),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has every operation at its path and method, in a known group', () => {
    for (const { id, path, method, tag } of operations) {
      expect(document.paths[path]).toMatchObject({ [method]: { operationId: id, tags: [tag] } })
      expect(operationTags.map(({ name }) => name)).toContain(tag)
    }
  })

  it('describes the events of a stream and the messages of the WebSocket by their schemas', () => {
    expect(document.paths['/v1/completions']).toMatchObject({
      post: {
        responses: {
          200: {
            content: { 'text/event-stream': { schema: { $ref: '#/components/schemas/CompletionChunk' } } },
          },
        },
      },
    })
    expect(document.paths['/api/v2/generate']).toMatchObject({
      get: {
        'x-websocket-messages': {
          client: { $ref: '#/components/schemas/LegacyClientMessage' },
          server: { $ref: '#/components/schemas/LegacyServerMessage' },
        },
      },
    })
  })
})
