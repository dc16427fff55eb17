import fc from 'fast-check'
import { expect, it } from 'vitest'
import { hex, toHex, vector } from '../../fixtures/vectors.ts'
import { ProtocolError } from '../errors.ts'
import { decodeFrameHeader, encodeFrameHeader, endOfInput, frameHeaderBytes, markers } from './framing.ts'

const headerOf = (id: string): Uint8Array => hex(vector(id).hex).subarray(0, frameHeaderBytes)

it('frames recorded from hivemind', () => {
  expect(toHex(endOfInput)).toBe(vector('stream/end').hex)
  expect(decodeFrameHeader(headerOf('stream/error'), 0)).toEqual({ marker: markers.endOrError, length: 6 })
  expect(decodeFrameHeader(headerOf('stream/error_empty'), 0)).toEqual({
    marker: markers.endOrError,
    length: 2,
  })
  expect(toHex(encodeFrameHeader({ marker: markers.message, length: 0 }))).toBe(
    vector('stream/empty_expert_request').hex,
  )
  const frame = hex(vector('inference/response').frame_hex)
  expect(decodeFrameHeader(frame, 100)).toEqual({
    marker: markers.message,
    length: frame.length - frameHeaderBytes,
  })
})

it('decoding is the inverse of encoding', () => {
  const property = fc.property(fc.constantFrom(0, 1), fc.nat(60_000), (marker, length) => {
    expect(decodeFrameHeader(encodeFrameHeader({ marker, length }), 60_000)).toEqual({ marker, length })
  })
  fc.assert(property)
})

it('a length of 2^63 - 1 or above the limit, and an unknown marker, are refused', () => {
  expect(() => decodeFrameHeader(hex('007fffffffffffffff'), 2 ** 40)).toThrow(/9223372036854775807 bytes/)
  expect(() => decodeFrameHeader(hex('000000000000000101'), 256)).toThrow(ProtocolError)
  expect(() => decodeFrameHeader(hex('0100000000000f0000'), 2 ** 30)).toThrow(/at most 65536/)
  expect(() => decodeFrameHeader(hex('020000000000000000'), 256)).toThrow(/unknown marker 2/)
})
