import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addedBytes, pieceBytes } from './token-bytes.ts'

const bytes = (piece: string, style: Parameters<typeof pieceBytes>[1]): number[] => [
  ...pieceBytes(piece, style),
]
const utf8 = (text: string): number[] => [...Buffer.from(text)]

describe('bytes of a byte-level piece', () => {
  it('are those of its printable characters', () => {
    expect(bytes('Hello!', 'byte-level')).toEqual(utf8('Hello!'))
  })

  it('include those that the alphabet shifts', () => {
    expect(bytes('Ġthe', 'byte-level')).toEqual(utf8(' the'))
    expect(bytes('ĊĊ', 'byte-level')).toEqual([10, 10])
    expect(bytes('Ã©', 'byte-level')).toEqual(utf8('é'))
    expect(bytes('ðŁ', 'byte-level')).toEqual([0xf0, 0x9f])
    expect(bytes('Ń', 'byte-level')).toEqual([0xad])
  })

  it('are plain UTF-8 if a piece was added as text', () => {
    expect(bytes('<|im_start|> 数', 'byte-level')).toEqual(utf8('<|im_start|> 数'))
  })
})

describe('bytes of a SentencePiece piece', () => {
  it('have spaces for ▁', () => {
    expect(bytes('▁▁the', 'sentencepiece')).toEqual(utf8('  the'))
  })

  it('are one byte for byte pieces', () => {
    fc.assert(
      fc.property(fc.nat(255), (byte) => {
        const piece = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
        expect(bytes(piece, 'sentencepiece')).toEqual([byte])
      }),
    )
    expect(bytes('<0xZZ>', 'sentencepiece')).toEqual(utf8('<0xZZ>'))
  })
})

it('bytes of an added token are its text, with spaces for ▁ in SentencePiece alone', () => {
  expect([...addedBytes('▁▁▁', 'sentencepiece')]).toEqual(utf8('   '))
  expect([...addedBytes('<|im_end|>', 'sentencepiece')]).toEqual(utf8('<|im_end|>'))
  expect([...addedBytes('<0x0A>', 'sentencepiece')]).toEqual(utf8('<0x0A>'))
  expect([...addedBytes('<｜begin▁of▁sentence｜>Ġ', 'byte-level')]).toEqual(utf8('<｜begin▁of▁sentence｜>Ġ'))
})
