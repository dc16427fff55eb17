import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseModelFlag } from './model-flag.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'model-flag-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('--model', () => {
  it.each([
    ['petals:owner/repo', 'did you mean petals:hf:owner/repo?'],
    ['mine=petals:Owner-1/repo.name', 'did you mean petals:hf:Owner-1/repo.name?'],
    ['owner/repo', 'did you mean hf:owner/repo?'],
    ['llama:owner/repo:Q4_K_M', 'did you mean hf:owner/repo:Q4_K_M?'],
  ])('%s without hf: gets a hint if there is no such folder', (text, hint) => {
    expect(() => parseModelFlag(text, [], folder)).toThrow(hint)
  })

  it('accepts an existing folder, and any text that is clearly a path', async () => {
    await mkdir(path.join(folder, 'owner', 'repo'), { recursive: true })
    for (const text of ['petals:owner/repo', 'petals:./nowhere/repo', 'petals:../a', 'llama:a/b/c.gguf']) {
      expect(parseModelFlag(text, [], folder), text).toMatchObject({ kind: 'added' })
    }
  })
})
