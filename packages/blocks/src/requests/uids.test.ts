import { describe, expect, it } from 'vitest'
import { readUids } from './uids.ts'

const held = { start: 4, end: 9 }
const read = (uid: string) => readUids(uid, 'Toy-hf', held)

describe('the blocks of a request', () => {
  it('are a range of those that the server holds', () => {
    expect(read('Toy-hf.4')).toEqual({ start: 4, end: 5 })
    expect(read('Toy-hf.5 Toy-hf.6 Toy-hf.7 Toy-hf.8')).toEqual({ start: 5, end: 9 })
  })

  it.each([
    'Toy-hf.3',
    'Toy-hf.9',
    'Toy.4',
    '',
    'Toy-hf.4 Toy-hf.9',
    'Toy-hf.04',
    'Toy-hf.4e0',
    'Toy-hf.5.5',
  ])('refuses %j in the words of Petals', (uid) =>
    expect(() => read(uid)).toThrow(/^Remote peer does not serve/),
  )

  it('refuses every block while the server holds none', () => {
    expect(() => readUids('Toy-hf.4', 'Toy-hf', undefined)).toThrow('Remote peer does not serve Toy-hf.4')
  })

  it('refuses gaps, another order and endless lists', () => {
    expect(() => read('Toy-hf.4 Toy-hf.6')).toThrow(/follow each other/)
    expect(() => read('Toy-hf.5 Toy-hf.4')).toThrow(/follow each other/)
    expect(() => read('Toy-hf.4 '.repeat(100_000))).toThrow(/too many blocks/)
  })
})
