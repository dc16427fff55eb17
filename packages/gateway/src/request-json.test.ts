import { describe, expect, it } from 'vitest'
import { parseRequestJson } from './request-json.ts'

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

describe('parseRequestJson', () => {
  it.each(['null', '1', '"a"', '{"a":[1,{"b":null}]}', nested(128), `{"prompt":[${'1,'.repeat(200_000)}1]}`])(
    'reads %.20s',
    (text) => expect(parseRequestJson(text)).toEqual(JSON.parse(text)),
  )

  it.each([
    nested(129),
    nested(500_000),
    `{"a":${nested(128)}}`,
    '{"a":'.repeat(1_000) + '1' + '}'.repeat(1_000),
  ])('refuses %.20s for its depth', (text) =>
    expect(() => parseRequestJson(text)).toThrow('nested more than 128 levels deep'),
  )

  it.each([
    `[${'{},'.repeat(50_000)}{}]`,
    `[${'1,'.repeat(50_000)}1]`,
    `{"messages":[[${'1,'.repeat(50_000)}1]]}`,
    `{"prompt":[${'-1,'.repeat(50_000)}1]}`,
    `[${'0.5,'.repeat(50_000)}1]`,
    `{${Array.from({ length: 50_000 }, (_, index) => `"${index}":1`).join()}}`,
  ])('refuses %.20s for its size', (text) =>
    expect(() => parseRequestJson(text)).toThrow('more than 50000 values'),
  )

  it('leaves what is no JSON to the parser', () => expect(() => parseRequestJson('{')).toThrow(SyntaxError))
})
