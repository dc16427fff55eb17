import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ModelUnavailableError } from '@petals-chat/engine'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderFiles } from '../../../../tests/support/folder-files.ts'
import { readSafetensors } from './safetensors.ts'
import type { FileTensors } from './tensor-entry.ts'
import { safetensorsFile, safetensorsHeader, toyTensor } from './testing/toy-checkpoint.ts'

let folder: string
beforeAll(async () => (folder = await mkdtemp(path.join(tmpdir(), 'safetensors-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

async function open(bytes: Uint8Array): Promise<FileTensors> {
  await writeFile(path.join(folder, 'model.safetensors'), bytes)
  return readSafetensors(folderFiles(folder), 'model.safetensors', {})
}

const header = (entry: unknown): Buffer => safetensorsHeader(JSON.stringify({ w: entry }))

describe('a safetensors file', () => {
  it('lists the places of its tensors', async () => {
    const file = safetensorsFile({ a: toyTensor([2, 3], 1), b: toyTensor([5], 2, 'bfloat16') })
    const tensors = await open(file)
    const start = 8 + file.readUInt32LE(0)
    expect(await tensors('a')).toEqual({
      file: 'model.safetensors',
      dtype: 'float32',
      shape: [2, 3],
      start,
      end: start + 24,
    })
    expect(await tensors('b')).toMatchObject({ dtype: 'bfloat16', start: start + 24, end: start + 34 })
    expect(await tensors('c')).toBeUndefined()
    expect(await tensors('__metadata__')).toBeUndefined()
  })

  it('may hold tensors of unsupported types, if they are not looked up', async () => {
    const entry = { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] }
    const other = { dtype: 'F16', shape: [2], data_offsets: [4, 8] }
    const tensors = await open(safetensorsHeader(JSON.stringify({ w: entry, other })))
    expect(await tensors('other')).toBeDefined()
    await expect(tensors('w')).rejects.toThrow(
      /'w' .* type F8_E4M3 is not one of F32, F16, BF16.*unquantized/,
    )
  })

  it.each([
    [
      'has fewer bytes than its shape',
      { dtype: 'F32', shape: [2, 2], data_offsets: [0, 15] },
      /has 15 bytes/,
    ],
    ['ends before it begins', { dtype: 'F32', shape: [2], data_offsets: [8, 0] }, /has -8 bytes/],
    ['has a negative size', { dtype: 'F32', shape: [-1], data_offsets: [0, 4] }, /malformed/],
    [
      'has a size that overflows',
      { dtype: 'F32', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 4] },
      /has 4 bytes/,
    ],
    ['has no offsets', { dtype: 'F32', shape: [1] }, /malformed/],
    ['has three offsets', { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] }, /malformed/],
    ['has a shape that is not a list', { dtype: 'F32', shape: 1, data_offsets: [0, 4] }, /malformed/],
    ['is null', null, /malformed/],
  ])('is refused if a tensor %s', async (_, entry, message) => {
    await expect((await open(header(entry)))('w')).rejects.toThrow(message)
  })

  it.each([
    ['a length beyond the format', Buffer.from('ffffffffffffff7f', 'hex'), /not a safetensors file/],
    ['no length', Buffer.alloc(8), /not a safetensors file/],
    ['less than a length', Buffer.alloc(3), /ends before byte 8/],
    ['a truncated header', safetensorsHeader('{"w": {}}').subarray(0, 12), /ends before byte 17/],
    ['a header that is no JSON', safetensorsHeader('{"w": nothing}'), /header .* is not JSON/],
  ])('is refused with %s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message)
    await expect(open(bytes)).rejects.toBeInstanceOf(ModelUnavailableError)
  })

  it('parses or refuses any header', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (json) => {
        const tensors = await open(safetensorsHeader(json.padEnd(2)))
        for (const name of ['w', '__proto__', 'constructor', '0']) {
          await tensors(name).catch((error: unknown) => expect(error).toBeInstanceOf(ModelUnavailableError))
        }
      }),
    )
  })
})
