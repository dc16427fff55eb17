import { describe, expect, it } from 'vitest'
import { displayMath } from './display-math.ts'

describe('displayMath', () => {
  it.each([
    ['Euler: $e^{i\\pi}=-1$.', 'Euler: $$e^{i\\pi}=-1$$.'],
    ['Euler: \\(e^{i\\pi}=-1\\).', 'Euler: $$e^{i\\pi}=-1$$.'],
    ['\\[\nx = 1\n\\]', '$$\nx = 1\n$$'],
    ['So \\[x = 1\\] holds.', 'So \n$$\nx = 1\n$$\n holds.'],
    ['$$x = 1$$', '$$\nx = 1\n$$'],
    ['$$\nx = 1\n\ny = 2\n$$\n', '$$\nx = 1\ny = 2\n$$\n'],
    ['- item \\[x\\]', '- item \n  $$\n  x\n  $$'],
    ['1. \\[x\\]\n2. two', '1. $$\n   x\n   $$\n2. two'],
    ['> $$x$$', '> $$\n> x\n> $$'],
  ])('reads %j', (text, expected) => expect(displayMath(text)).toBe(expected))

  it.each([
    'It costs $5, not $10.',
    'From $5-$10 a day.',
    'A single $ sign',
    '\\$a$ and \\\\(b\\\\)',
    'Code `$a$` and ``\\[b\\]``',
    '```tex\n$a$\n\\[b\\]\n```',
    '~~~\n$a$',
    'no formula at all',
  ])('leaves %j alone', (text) => expect(displayMath(text)).toBe(text))

  it('does not take long over hostile text', () => {
    for (const unit of ['$a ', '\\(', '\\[', '`', '$$', '$\\', '``` ']) {
      const text = unit.repeat(20_000)
      const begin = performance.now()
      displayMath(text)
      expect(performance.now() - begin, unit).toBeLessThan(10_000)
    }
  })
})
