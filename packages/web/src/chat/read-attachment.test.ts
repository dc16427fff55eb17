import { describe, expect, it } from 'vitest'
import {
  admitAttachments,
  isLongPaste,
  MAX_FILE_BYTES,
  MAX_FILES,
  pasteName,
  readableEncodings,
  rereadAttachment,
  readAttachment,
} from './read-attachment.ts'

const file = (parts: readonly BlobPart[], name = 'a.txt') => new File([...parts], name)
const utf16 = (text: string, bigEndian: boolean) => {
  const view = new DataView(new ArrayBuffer(text.length * 2 + 2))
  for (const [index, code] of [0xfeff, ...Array.from(text, (c) => c.charCodeAt(0))].entries())
    view.setUint16(index * 2, code, !bigEndian)
  return new Uint8Array(view.buffer)
}

describe('readAttachment', () => {
  it('reads text under any file name', async () => {
    const { attachment } = await readAttachment(file(['Grüße\r\n🌷\n'], 'photo.jpg'))
    expect(attachment).toMatchObject({ name: 'photo.jpg', text: 'Grüße\n🌷\n' })
  })

  it.each([
    ['too-large', file(['x'.repeat(MAX_FILE_BYTES + 1)])],
    ['empty', file([])],
    ['not-text', file([Uint8Array.of(0x89, 0x50, 0x4e, 0x47)], 'a.md')],
    ['not-text', file(['%PDF-1.7\n\u0000\u0001'], 'a.txt')],
  ])('refuses what is %s', async (kind, bad) => {
    expect((await readAttachment(bad)).problem).toEqual({ kind, name: bad.name })
  })

  it('reports a file that can no longer be read', async () => {
    const gone = file(['x'])
    gone.arrayBuffer = () => Promise.reject(new DOMException('gone', 'NotReadableError'))
    expect((await readAttachment(gone)).problem?.kind).toBe('unreadable')
  })
})

it('reads UTF-16 and single-byte encodings, and reports the encoding', async () => {
  for (const bigEndian of [false, true]) {
    const { attachment } = await readAttachment(file([utf16('Hällo', bigEndian)]))
    expect(attachment).toMatchObject({ text: 'Hällo', encoding: bigEndian ? 'utf-16be' : 'utf-16le' })
  }
  const { attachment } = await readAttachment(file([Uint8Array.of(0xe9, 0x74, 0xe9)]))
  expect(attachment).toMatchObject({ text: 'été', encoding: 'windows-1252' })
  expect(await readAttachment(file(['é']))).not.toHaveProperty('attachment.encoding')
})

it('rereads a file in an encoding that the reader chooses', async () => {
  const { attachment } = await readAttachment(file([Uint8Array.of(0xb3, 0x6f, 0x64, 0x7a, 0xe9)]))
  const choices = readableEncodings(attachment!)
  expect(choices).toEqual(expect.arrayContaining(['windows-1252', 'windows-1250', 'koi8-r']))
  expect(choices).not.toContain('utf-8')
  expect(rereadAttachment(attachment!, 'windows-1250')).toEqual({
    ...attachment,
    text: 'łodzé',
    encoding: 'windows-1250',
  })
  const unknown = { id: 'gone', name: 'a', text: 'x', encoding: 'big5' }
  expect(readableEncodings(unknown)).toEqual([])
  expect(rereadAttachment(unknown, 'windows-1250')).toBe(unknown)
})

it('keeps only the bytes of the last files', async () => {
  const read = async () => (await readAttachment(file([Uint8Array.of(0xe9, 0x74, 0xe9)]))).attachment!
  const first = await read()
  expect(readableEncodings(first)).not.toEqual([])
  for (let more = 0; more < 2 * MAX_FILES; more++) await read()
  expect(readableEncodings(first)).toEqual([])
  expect(readableEncodings(await read())).not.toEqual([])
})

it('admits files while there is room', () => {
  const files = Array.from({ length: MAX_FILES + 1 }, (_, index) => ({
    id: `${index}`,
    name: `${index}`,
    text: 'x',
  }))
  const { admitted, problems } = admitAttachments(files.slice(0, 5), files.slice(5))
  expect(admitted).toHaveLength(MAX_FILES - 5)
  expect(problems).toEqual([{ kind: 'too-many', name: `${MAX_FILES}` }])
  const large = ['a', 'b', 'c'].map((name) => ({ id: name, name, text: name.repeat(900_000) }))
  expect(admitAttachments([], large).problems).toEqual([{ kind: 'all-too-large', name: 'c' }])
})

it('recognizes long pastes, by characters and by lines', () => {
  expect(isLongPaste('x'.repeat(2500))).toBe(false)
  expect(isLongPaste('x'.repeat(2501))).toBe(true)
  expect(isLongPaste('x\n'.repeat(60))).toBe(true)
})

it('gives pastes different names', () => {
  const named = (name: string) => ({ id: name, name, text: '' })
  expect(pasteName('Pasted text', [])).toBe('Pasted text.txt')
  expect(pasteName('Pasted text', [named('Pasted text.txt')])).toBe('Pasted text 2.txt')
})
