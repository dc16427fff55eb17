import type { OpenApiDocument } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from './openai/fixtures/test-app.ts'

async function documentOf(): Promise<OpenApiDocument> {
  await using app = createTestApp()
  const response = await app.get('/openapi.json')
  expect(response.status).toBe(200)
  return (await response.json()) as OpenApiDocument
}

describe('/openapi.json', () => {
  it('is OpenAPI 3.1 of this version', async () => {
    expect(await documentOf()).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Petals Chat', version: '1.2.3' },
    })
  })

  it('has an operation for every route of the gateway, and no other', async () => {
    await using app = createTestApp()
    const { routes } = await app.gateway.prepare()
    const served = routes
      .filter(({ method, path }) => method !== 'ALL' && !['/', '/docs/', '/docs/style.css'].includes(path))
      .map(({ method, path }) => `${method} ${path.replace(':id{.+}', '{model}').replace(/:(\w+)/, '{$1}')}`)
    const { paths } = await documentOf()
    const described = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    // The WebSocket is served at the upgrade; the app itself has no route for it.
    expect([...described].sort()).toEqual([...new Set(served), 'GET /api/v2/generate'].sort())
  })
})

interface BodySchema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, BodySchema>>
  readonly items?: BodySchema
  readonly anyOf?: readonly BodySchema[]
  readonly oneOf?: readonly BodySchema[]
}

/** Finds the fields of bodies that may be left out, and may not be null. */
class NullSearch {
  readonly #schemas: Readonly<Record<string, BodySchema>>
  readonly #seen = new Set<BodySchema>()

  constructor(schemas: Readonly<Record<string, BodySchema>>) {
    this.#schemas = schemas
  }

  *fieldsOf(schema: BodySchema, path: string): Generator<string> {
    const resolved = this.#resolve(schema)
    if (this.#seen.has(resolved)) return
    this.#seen.add(resolved)
    const { properties = {}, required = [], items, anyOf = [], oneOf = [] } = resolved
    for (const [name, field] of Object.entries(properties)) {
      if (!required.includes(name) && !this.#isNullable(field)) yield `${path}.${name}`
      yield* this.fieldsOf(field, `${path}.${name}`)
    }
    for (const option of [...anyOf, ...oneOf, ...(items === undefined ? [] : [items])])
      yield* this.fieldsOf(option, path)
  }

  #isNullable(field: BodySchema): boolean {
    const { type, anyOf = [], oneOf = [], ...rest } = this.#resolve(field)
    const options = [...anyOf, ...oneOf]
    const isAny = type === undefined && options.length === 0 && !('enum' in rest) && !('const' in rest)
    return isAny || [type].flat().includes('null') || options.some((option) => this.#isNullable(option))
  }

  #resolve(schema: BodySchema): BodySchema {
    return schema.$ref === undefined ? schema : this.#schemas[schema.$ref.split('/').at(-1)!]!
  }
}

interface BodyOperation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: BodySchema }>> }
}

it('lets clients of every API send null for a field that they may leave out', async () => {
  const { paths, components } = await documentOf()
  const search = new NullSearch(components.schemas)
  // Those of this server alone, and the original API, whose fields are of no type.
  const own = /^\/(v1\/keys|v1\/session|api\/tools|api\/v1)\b/
  const bodies = Object.entries(paths).flatMap(([path, operations]) =>
    Object.values(operations as Readonly<Record<string, BodyOperation>>).flatMap(({ requestBody }) =>
      Object.values(requestBody?.content ?? {}).map(({ schema }) => ({ path, schema })),
    ),
  )
  const others = bodies.filter(({ path }) => !own.test(path))
  expect(others.flatMap(({ path, schema }) => [...search.fieldsOf(schema, path)])).toEqual([])
  expect(others.length).toBeGreaterThan(15)
})

it('tells no limits of a seed, since 64 bits are taken', async () => {
  await using app = createTestApp()
  const { components } = await documentOf()
  const { properties } = components.schemas.ChatCompletionRequest as BodySchema
  expect(properties!.seed).toMatchObject({ anyOf: [{ type: 'integer' }, { type: 'null' }] })
  expect(JSON.stringify(properties!.seed)).not.toMatch(/minimum|maximum/)
  const request = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 }
  for (const seed of [2 ** 64 - 1, -(2 ** 63)])
    expect((await app.post('/v1/chat/completions', { ...request, seed })).status).toBe(200)
})

describe('behind a prefix', () => {
  it('the document and the examples contain the prefix, whether the proxy strips it or not', async () => {
    await using app = createTestApp({ config: { basePath: '/chat' } })
    for (const path of ['/chat', ''] as const) {
      const response = await app.get(`http://localhost:5000${path}/openapi.json`)
      expect(await response.json()).toMatchObject({ servers: [{ url: '/chat' }] })
      const page = await app.get(`http://localhost:5000${path}/docs`)
      expect(await page.text()).toContain('curl http://localhost:5000/chat/v1/models')
    }
  })
})

describe('/docs', () => {
  async function pageOf(model = 'test') {
    await using app = createTestApp({ specs: [{ id: model }] })
    const response = await app.get('http://localhost:5000/docs')
    return { response, html: await response.text() }
  }

  it('shows every route, with a curl example', async () => {
    const { html, response } = await pageOf()
    expect(response.headers.get('content-type')).toBe('text/html; charset=UTF-8')
    for (const path of Object.keys((await documentOf()).paths)) expect(html).toContain(path)
    expect(html).toContain('curl http://localhost:5000/v1/chat/completions')
    expect(html).toContain('max_completion_tokens')
  })

  it('obeys the server’s policy: no scripts, no inline styles, nothing from other origins', async () => {
    const { html, response } = await pageOf()
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(html).not.toMatch(/<script|<style|\sstyle=|\son\w+=/i)
    const links = [...html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, link]) => link!)
    // Links are relative to the page, so that they work behind any prefix.
    expect(links.filter((link) => /^\/|:/.test(link))).toEqual([])
    await using app = createTestApp()
    const others = links.filter((link) => !link.startsWith('#'))
    expect(others.length).toBeGreaterThan(1)
    for (const link of others) expect((await app.get(`/${link}`)).status).toBe(200)
  })

  it('escapes model names', async () => {
    const { html } = await pageOf(`<img src=x onerror="alert('1')">`)
    expect(html).not.toContain('<img')
  })
})
