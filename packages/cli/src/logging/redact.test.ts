import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createRedactor, redacted } from './redact.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const redact = createRedactor(['my-own-secret', 'short'])

describe('the redactor', () => {
  it.each([
    ['token hf_abcdefghijklmnopqrstuvwxyzABCDEFGH is wrong', `token hf_${redacted} is wrong`],
    ['hf_abc12345', `hf_${redacted}`],
    ['key sk-proj-abc_DEF-123456789', `key sk-${redacted}`],
    ['sk-abcdefghijklmnopqrstuv', `sk-${redacted}`],
    ['"authorization":"Bearer onlyletters"', `"authorization":"Bearer ${redacted}"`],
    ['{\\"authorization\\":\\"Bearer onlyletters\\"}', `{\\"authorization\\":\\"Bearer ${redacted}\\"}`],
    ['Authorization: bearer onlyletters', `Authorization: bearer ${redacted}`],
    ['sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc==', `sent Bearer ${redacted}`],
    ['my-own-secret is not short', `${redacted} is not short`],
  ])('removes the value from %j', (line, expected) => {
    expect(redact(line)).toBe(expected)
  })

  it.each([
    'HF_ENDPOINT names a mirror; HF_HUB_OFFLINE=1, HF_TOKEN_PATH and HF_HUB_CACHE are others.',
    'hf_transfer and hf_xet are packages; hf_hub_download is a function',
    'Bearer authentication is used: send Authorization: Bearer KEY.',
    'sk-learn, sk-estimators',
  ])('leaves names: %j', (line) => {
    expect(redact(line)).toBe(line)
  })

  it('changes no text of the product', () => {
    const files = [
      'README.md',
      ...globSync(['docs/**/*.md', 'packages/*/src/**/*.{ts,tsx}', 'scripts/**/*.{mjs,ts}', 'swarm/*.ts'], {
        cwd: root,
        exclude: (name) => name === 'fixtures' || name === 'testing' || name.includes('.test.'),
      }),
    ]
    expect(files.length).toBeGreaterThan(300)
    const changed = files.flatMap((file) =>
      readFileSync(`${root}${file}`, 'utf8')
        .split('\n')
        .filter((line) => redact(line) !== line)
        .map((line) => `${file}: ${line.trim()}`),
    )
    expect(changed).toEqual([])
  })
})
