import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ModelFiles, ModelUnavailableError } from '@petals-chat/engine'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderFiles } from '../../../../tests/support/folder-files.ts'
import { parseArchitecture } from './architecture.ts'
import { readTokenizerText, type PackedText } from './tokenizer-text.ts'
import { openTokenizer } from './tokenizer.ts'
import { removeVocabularyFiles, VocabularyFile } from './vocabulary-file.ts'

const architecture = parseArchitecture(
  { model_type: 'llama', vocab_size: 400, hidden_size: 8, num_hidden_layers: 1 },
  'test',
)

/** Pieces `a`, `b`, `é`, `😀` and merges of them, with an added token. */
const tokenizer = (merges: readonly string[], model: object = {}) =>
  JSON.stringify({
    added_tokens: [{ id: 9, content: '<é>', special: true, normalized: false }],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: { a: 0, b: 1, é: 2, '😀': 3, ab: 4, bé: 5, abé: 6, '😀a': 8 },
      merges,
      ...model,
    },
  })
const mergesOf = { leftFirst: ['a b', 'ab é', '😀 a'], rightFirst: ['b é', 'a bé', '😀 a'] }

let root: string
beforeAll(async () => (root = await mkdtemp(path.join(tmpdir(), 'vocabulary-'))))
afterAll(() => rm(root, { recursive: true, force: true }))

/** A model with this tokenizer.json, and a folder that does not exist yet. */
async function place(text: string) {
  const model = await mkdtemp(path.join(root, 'model-'))
  const original = { path: path.join(model, 'tokenizer.json') }
  await writeFile(original.path, text)
  return { model, original, folder: path.join(model, 'cache', 'swarm') }
}

const packedOf = (text: string): PackedText => {
  const { rest, vocabulary } = readTokenizerText(text, 'the text')
  return { rest: rest!, vocabulary: vocabulary! }
}

/** All that a packed text consists of. */
const contentOf = ({ rest, vocabulary: { pieces, merges } }: PackedText) => ({
  rest,
  pieces: pieces.parts,
  merges: merges.parts,
})

describe('a packed vocabulary', () => {
  it('is read as it was kept', async () => {
    const { original, folder } = await place(tokenizer(mergesOf.leftFirst))
    const file = await VocabularyFile.of(original, folder)
    expect(await file.read()).toBeUndefined()
    const packed = packedOf(tokenizer(mergesOf.leftFirst))
    await file.keep(packed)
    expect(contentOf((await file.read())!)).toEqual(contentOf(packed))
    expect(await readdir(folder)).toEqual([
      expect.stringMatching(/^vocabulary-[0-9a-f]{16}-[0-9a-f]{16}\.bin$/),
    ])
  })

  it('is not read once its original has changed, and goes when the new one is kept', async () => {
    const [before, after] = [`${tokenizer(mergesOf.leftFirst)} `, tokenizer(mergesOf.rightFirst)]
    const { original, folder } = await place(before)
    await utimes(original.path, 1000, 1000)
    await (await VocabularyFile.of(original, folder)).keep(packedOf(before))
    const [old] = await readdir(folder)
    // As long as before, and of the same time, as every file of a package of npm is.
    expect(Buffer.byteLength(after)).toBe(Buffer.byteLength(before))
    await writeFile(original.path, after)
    await utimes(original.path, 1000, 1000)
    const file = await VocabularyFile.of(original, folder)
    expect(await file.read()).toBeUndefined()
    await file.keep(packedOf(after))
    const names = await readdir(folder)
    expect(names).toHaveLength(1)
    expect(names).not.toContain(old)
  })

  it('is not read if a part of it is damaged or missing', async () => {
    const { original, folder } = await place(tokenizer(mergesOf.leftFirst))
    const file = await VocabularyFile.of(original, folder)
    await file.keep(packedOf(tokenizer(mergesOf.leftFirst)))
    const kept = path.join(folder, (await readdir(folder))[0]!)
    const bytes = await readFile(kept)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, change, isCut) => {
          const damaged = Buffer.from(isCut ? bytes.subarray(0, at) : bytes)
          if (!isCut) damaged[at]! ^= change
          await writeFile(kept, damaged)
          expect(await file.read()).toBeUndefined()
        },
      ),
    )
    await writeFile(kept, bytes)
    expect(await file.read()).toBeDefined()
  })

  it('is removed with its model, and no other is', async () => {
    const [mine, other] = [await place(tokenizer([])), await place(tokenizer([]))]
    for (const { original } of [mine, other])
      await (await VocabularyFile.of(original, mine.folder)).keep(packedOf(tokenizer([])))
    const { paths, freedBytes } = await removeVocabularyFiles(mine.original, mine.folder)
    expect(paths).toHaveLength(1)
    expect(freedBytes).toBeGreaterThan(0)
    expect(await readdir(mine.folder)).toHaveLength(1)
    expect(await (await VocabularyFile.of(other.original, mine.folder)).read()).toBeDefined()
  })
})

describe('opening a tokenizer with a folder for packed vocabularies', () => {
  /** Counts how often tokenizer.json is read. */
  function counting(model: string) {
    const files = folderFiles(model)
    let reads = 0
    const counted: ModelFiles = {
      ...files,
      description: files.description,
      textPath: (name, options) => files.textPath(name, options),
      text(name, options) {
        if (name === 'tokenizer.json') reads++
        return files.text(name, options)
      },
    }
    return { files: counted, reads: () => reads }
  }

  const text = 'abé<é>😀abab'
  const tokensOf = async (files: ModelFiles, folder?: string) => {
    const opened = await openTokenizer(files, architecture, undefined, { folder })
    return { tokens: opened.tokenizer.encode(text), controlTexts: opened.tokenizer.controlTexts }
  }

  it('reads tokenizer.json once, and makes the same tokens from what it kept', async () => {
    for (const merges of Object.values(mergesOf)) {
      const { model, folder } = await place(tokenizer(merges))
      const { files, reads } = counting(model)
      const expected = await tokensOf(folderFiles(model))
      expect(expected.tokens).toContain(9)
      expect(await tokensOf(files, folder)).toEqual(expected)
      expect(await tokensOf(files, folder)).toEqual(expected)
      expect(reads()).toBe(1)
    }
  })

  it('keeps nothing of a tokenizer that is not packed', async () => {
    const { model, folder } = await place(tokenizer([], { end_of_word_suffix: '</w>' }))
    const { files, reads } = counting(model)
    await tokensOf(files, folder)
    await tokensOf(files, folder)
    expect(reads()).toBe(2)
    await expect(readdir(folder)).rejects.toThrow('ENOENT')
  })

  it('works where nothing can be kept', async () => {
    const { model, folder } = await place(tokenizer(mergesOf.leftFirst))
    await mkdir(path.dirname(folder))
    await writeFile(folder, 'a file')
    const expected = await tokensOf(folderFiles(model))
    expect(await tokensOf(folderFiles(model), folder)).toEqual(expected)
  })

  it('passes on why the file can not be had, without a second try', async () => {
    const { model, folder } = await place(tokenizer(mergesOf.leftFirst))
    const { files, reads } = counting(model)
    const away = new ModelUnavailableError('The Hub does not answer.')
    const failing = { ...files, textPath: () => Promise.reject(away) }
    await expect(tokensOf(failing, folder)).rejects.toBe(away)
    expect(reads()).toBe(0)
  })

  it('says what is missing as without it', async () => {
    const model = await mkdtemp(path.join(root, 'model-'))
    await expect(tokensOf(folderFiles(model), path.join(model, 'cache'))).rejects.toThrow(
      'has no tokenizer.json',
    )
  })
})
