import { describe, expect, it } from 'vitest'
import { titleFrom } from './title.ts'

describe('the title of a chat', () => {
  it.each([
    ['# **Bold** and _soft_ words', 'Bold and soft words'],
    ['> ~~Old~~ `code`', 'Old code'],
    ['- ***all***', 'all'],
    ['What is 12*7? Use the calculator.', 'What is 12*7? Use the calculator.'],
    ['12 * 7 * 3', '12 * 7 * 3'],
    ['rename snake_case_name in my_file.py', 'rename snake_case_name in my_file.py'],
    ['find *.ts and *.js', 'find *.ts and *.js'],
    ['about ~5 or ~6', 'about ~5 or ~6'],
    ['---\n\nSecond line', 'Second line'],
    ['', ''],
  ])('of %j is %j', (content, title) => expect(titleFrom(content)).toBe(title))

  it('is cut at a word, and takes no time on a long line of marks', () => {
    expect(titleFrom('word '.repeat(40))).toMatch(/^(word ){11}word…$/)
    expect(titleFrom('*_a '.repeat(200_000)).length).toBeLessThanOrEqual(61)
  })
})
