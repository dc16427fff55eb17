import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { gatewayConfigSchema } from './config.ts'

describe('gatewayConfigSchema', () => {
  it('is safe by default: loopback, and no page of another origin is let in', () => {
    expect(gatewayConfigSchema.parse({})).toMatchObject({
      host: '127.0.0.1',
      port: 5000,
      insecurePublic: false,
      trustedHosts: [],
      basePath: '/',
      keepAliveTimeoutMs: 75_000,
      unknownModel: 'auto',
      cors: { legacy: [], all: [] },
    })
  })

  it.each([
    '*',
    'null',
    'https://chat.example.org',
    'http://localhost:3000',
    'app://obsidian.md',
    'chrome-extension://abc',
    'vscode-webview://*',
    'http://localhost:*',
  ])('takes the origin %s', (origin) => {
    expect(gatewayConfigSchema.parse({ cors: { legacy: [origin] } }).cors.legacy).toEqual([origin])
  })

  it.each(['chat.example.org', 'https://chat.example.org/', 'https://', '', 'https://a b'])(
    'refuses the origin %s',
    (origin) => {
      const { error } = gatewayConfigSchema.safeParse({ cors: { all: [origin] } })
      expect(error?.issues[0]?.path).toEqual(['cors', 'all', 0])
      expect(error?.issues[0]?.message).toContain('https://chat.example.org')
    },
  )

  it.each([
    { port: 65536 },
    { port: 1.5 },
    { prot: 5000 },
    { sessions: { queueLength: -1 } },
    { host: '' },
    { stepTimeoutMs: 2 ** 31 },
    { answers: { keepMs: -1 } },
    { basePath: 'chat' },
    { basePath: '/chat/' },
    { basePath: '/../x' },
    { basePath: '/v1' },
    { basePath: '/a b' },
    { trustedHosts: ['https://chat.example.org'] },
  ])('refuses %o', (config) => {
    expect(gatewayConfigSchema.safeParse(config).success).toBe(false)
  })

  it('describes every key, for editors and documentation', () => {
    const undescribed = (schema: z.core.JSONSchema.JSONSchema, path: string): string[] =>
      Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
        if (typeof value === 'boolean') return []
        if (value.properties) return undescribed(value, `${path}${key}.`)
        return value.description ? [] : [`${path}${key}`]
      })
    expect(undescribed(z.toJSONSchema(gatewayConfigSchema, { io: 'input' }), '')).toEqual([])
  })
})
