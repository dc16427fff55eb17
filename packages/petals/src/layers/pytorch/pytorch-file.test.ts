import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ModelUnavailableError } from '@petals-chat/engine'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderFiles } from '../../../../../tests/support/folder-files.ts'
import { tensorValues } from '../../tensor/tensor.ts'
import type { FileTensors } from '../tensor-entry.ts'
import { readPytorchFile } from './pytorch-file.ts'

/** Recorded from torch.save by record_pytorch_model.py. */
const recorded = new URL('../../../fixtures/pytorch-model.bin', import.meta.url)

let folder: string
let genuine: Uint8Array
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'pytorch-file-'))
  genuine = await readFile(recorded)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let count = 0
async function open(bytes: Uint8Array): Promise<{ name: string; tensors: FileTensors }> {
  const name = `${count++}.bin`
  await writeFile(path.join(folder, name), bytes)
  return { name, tensors: await readPytorchFile(folderFiles(folder), name, {}) }
}

async function valuesOf({ name, tensors }: Awaited<ReturnType<typeof open>>, tensor: string) {
  const entry = await tensors(tensor)
  if (!entry) return undefined
  const { dtype, shape, start, end } = entry
  const data = (await readFile(path.join(folder, name))).subarray(start, end)
  return { dtype, shape, values: [...tensorValues({ dtype, shape, data })] }
}

const quarters = (first: number, length: number): number[] =>
  Array.from({ length }, (_, i) => (first + i) / 4)

describe('a file of torch.save', () => {
  it.each([
    ['float32', 'float32', [5, 4], quarters(0, 20)],
    ['tied', 'float32', [5, 4], quarters(0, 20)],
    ['float16', 'float16', [3, 4], quarters(0, 12)],
    ['bfloat16', 'bfloat16', [4, 3], quarters(0, 12)],
    ['parameter', 'float32', [6], quarters(0, 6)],
    ['slice', 'float32', [4, 4], quarters(12, 16)],
    ['empty', 'float32', [0, 4], []],
  ])('has the tensor %s', async (tensor, dtype, shape, values) => {
    expect(await valuesOf(await open(genuine), tensor)).toEqual({ dtype, shape, values })
  })

  it('has no other tensors', async () => {
    expect(await valuesOf(await open(genuine), 'other')).toBeUndefined()
  })

  it.each([
    ['transposed', /'transposed' is not stored row by row\. Use a repository .*safetensors/],
    ['integers', /'integers' does not have a floating-point type/],
    ['flag', /'flag' does not have a floating-point type/],
  ])('refuses the tensor %s', async (tensor, message) => {
    const { tensors } = await open(genuine)
    await expect(tensors(tensor)).rejects.toThrow(message)
    await expect(tensors(tensor)).rejects.toBeInstanceOf(ModelUnavailableError)
  })
})

/** Returns an archive like PyTorch's, with any content. `large`: with ZIP64 records, as above 4 GiB. */
function zip(entries: Readonly<Record<string, Uint8Array | string>>, large = false): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let position = 0
  for (const [name, content] of Object.entries(entries)) {
    const data = Buffer.from(content)
    const local = Buffer.alloc(30)
    local.writeUInt32LE(0x04034b50, 0)
    local.writeUInt16LE(name.length, 26)
    local.writeUInt16LE(5, 28)
    const extra = Buffer.alloc(large ? 28 : 0)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    central.writeUInt16LE(name.length, 28)
    central.writeUInt16LE(extra.length, 30)
    for (const [offset, value] of [
      [20, data.length],
      [24, data.length],
      [42, position],
    ] as const) {
      central.writeUInt32LE(large ? 0xffffffff : value, offset)
    }
    if (large) {
      extra.writeUInt16LE(1, 0)
      extra.writeUInt16LE(24, 2)
      for (const [index, value] of [data.length, data.length, position].entries()) {
        extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index)
      }
    }
    directory.push(central, Buffer.from(name), extra)
    const part = [local, Buffer.from(name), Buffer.alloc(5), data]
    parts.push(...part)
    position += part.reduce((sum, { length }) => sum + length, 0)
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt32LE(large ? 0xffffffff : size, 12)
  end.writeUInt32LE(large ? 0xffffffff : position, 16)
  const end64 = Buffer.alloc(large ? 76 : 0)
  if (large) {
    end64.writeUInt32LE(0x06064b50, 0)
    end64.writeBigUInt64LE(BigInt(size), 40)
    end64.writeBigUInt64LE(BigInt(position), 48)
    end64.writeUInt32LE(0x07064b50, 56)
    end64.writeBigUInt64LE(BigInt(position + size), 64)
  }
  return Buffer.concat([...parts, ...directory, end64, end])
}

const withPickle = (pickle: string | Uint8Array, others: Record<string, Uint8Array | string> = {}): Buffer =>
  zip({ 'archive/data.pkl': typeof pickle === 'string' ? Buffer.from(pickle, 'latin1') : pickle, ...others })

const text = (value: string): string => `X${String.fromCharCode(value.length)}\0\0\0${value}`
const storageOf = (key: string, size: number): string =>
  `(${text('storage')}ctorch\nFloatStorage\n${text(key)}${text('cpu')}K${String.fromCharCode(size)}tQ`
const rebuild = 'ctorch._utils\n_rebuild_tensor_v2\n'
/** A state dictionary of one tensor `w` of [2, 2]. */
const oneTensor = (storageSize = 4, shape = 'K\x02K\x02', strides = 'K\x02K\x01'): string =>
  `\x80\x02}(${text('w')}${rebuild}(${storageOf('0', storageSize)}K\0(${shape}t(${strides}t\x89ccollections\nOrderedDict\n)RtRu.`

const floats = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer)

describe('an archive', () => {
  it.each([false, true])('of any size is read (ZIP64: %s)', async (large) => {
    const archive = zip({ 'a/data.pkl': Buffer.from(oneTensor(), 'latin1'), 'a/data/0': floats }, large)
    expect(await valuesOf(await open(archive), 'w')).toEqual({
      dtype: 'float32',
      shape: [2, 2],
      values: [1, 2, 3, 4],
    })
  })

  it.each([
    ['a file that is not an archive', Buffer.from('\x80\x02\x8a\x0alF9cj'.padEnd(300)), /not a ZIP archive/],
    ['an empty file', Buffer.alloc(0), /not a ZIP archive/],
    ['an archive of other things', zip({ 'a/readme': 'hello' }), /not an archive of torch\.save/],
    ['the other byte order', withPickle(oneTensor(), { 'archive/byteorder': 'big' }), /byte order 'big'/],
  ])('is refused: %s', async (_, bytes, message) => {
    await expect(open(bytes)).rejects.toThrow(message)
  })

  it('is refused if its data are missing or truncated', async () => {
    await expect((await open(withPickle(oneTensor()))).tensors('w')).rejects.toThrow(/data .* is missing/)
    const short = withPickle(oneTensor(), { 'archive/data/0': floats.subarray(0, 15) })
    await expect((await open(short)).tensors('w')).rejects.toThrow(/data .* is truncated/)
  })
})

describe('a pickle', () => {
  it.each([
    ['calls os.system', `\x80\x02cos\nsystem\n(${text('touch /tmp/owned')}tR.`, /calls os\.system/],
    [
      'calls eval by name',
      `\x80\x04\x8c\x08builtins\x8c\x04eval\x93(${text('1')}tR.`,
      /calls builtins\.eval/,
    ],
    ['builds an object', `\x80\x02cmy\nClass\n)\x81.`, /opcode 0x81/],
    ['calls a dictionary', `\x80\x02})R.`, /calls no function/],
    [
      'has storage of its own type',
      oneTensor().replace('FloatStorage', 'x.EvilStorage'),
      /type torch\.x\.Evil/,
    ],
    ['has a larger tensor than its storage', oneTensor(3), /larger than its storage/],
    ['has a negative size', oneTensor(4, 'J\xff\xff\xff\xffK\x02'), /a tensor is malformed/],
    ['has fewer strides than sizes', oneTensor(4, undefined, 'K\x01'), /a tensor is malformed/],
    ['is a list', '\x80\x02].', /not a dictionary of tensors/],
    ['takes a value from an empty stack', '\x80\x02u.', /empty stack/],
    ['uses a memo entry that does not exist', '\x80\x02h\x07.', /memo entry/],
    ['ends in the middle', '\x80\x02}(X\xff\xff\xff\x7fabc', /ends in the middle/],
    ['has a huge number', `\x80\x02\x8a\x20${'\x7f'.repeat(32)}.`, /number is too large/],
  ])('is refused when it %s', async (_, pickle, message) => {
    await expect(open(withPickle(pickle, { 'archive/data/0': floats }))).rejects.toThrow(message)
  })
})

describe('damage', () => {
  /** Any bytes must give tensors or a ModelUnavailableError. */
  async function expectOrderly(bytes: Uint8Array): Promise<void> {
    try {
      const { tensors } = await open(bytes)
      for (const name of ['float32', 'slice', 'bfloat16']) await tensors(name)
    } catch (error) {
      expect(error).toBeInstanceOf(ModelUnavailableError)
    }
  }

  it('is detected or harmless: every length', async () => {
    for (let length = 0; length < genuine.length; length += 7)
      await expectOrderly(genuine.subarray(0, length))
  })

  it('is detected or harmless: any bytes', async () => {
    const changes = fc.array(fc.tuple(fc.nat(genuine.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 8,
    })
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const bytes = Uint8Array.from(genuine)
        for (const [position, value] of list) bytes[position] = value
        await expectOrderly(bytes)
      }),
      { numRuns: 1500 },
    )
  })
})
