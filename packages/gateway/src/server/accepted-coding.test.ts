import { expect, it } from 'vitest'
import { acceptedCoding, type ContentCoding } from './accepted-coding.ts'

const all = new Set<ContentCoding>(['br', 'gzip', 'identity'])

it.each([
  ['gzip, deflate, br, zstd', 'br'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['GZIP;Q=0.5', 'gzip'],
  ['br;q=0.5, gzip;q=0.8', 'gzip'],
  ['br;q=0.5,gzip;q=0.5', 'br'],
  ['br;q=0, gzip', 'gzip'],
  ['br;q=0, gzip;q=0', 'identity'],
  ['br; q=1.000 , *;q=0', 'br'],
  ['*', 'br'],
  ['*;q=0.1, br;q=0', 'gzip'],
  ['*;q=0', 'identity'],
  ['identity', 'identity'],
  ['identity, gzip;q=0.5', 'identity'],
  ['identity;q=0.5, gzip', 'gzip'],
  ['identity;q=0, gzip;q=0.001', 'gzip'],
  ['deflate', 'identity'],
  ['', 'identity'],
  [undefined, 'identity'],
  ['br;q=2', 'br'],
  [',,;q=1,', 'identity'],
])('Accept-Encoding %j gets %s', (header, coding) => expect(acceptedCoding(header, all)).toBe(coding))

it('offers only what is there', () => {
  expect(acceptedCoding('br, gzip;q=0.1', new Set<ContentCoding>(['gzip', 'identity']))).toBe('gzip')
  expect(acceptedCoding('identity;q=0, br', new Set<ContentCoding>(['identity']))).toBe('identity')
})
