import { describe, expect, it } from 'vitest'
import { strftime } from './strftime.ts'

const date = new Date(2024, 6, 4, 15, 5, 9)

describe('strftime', () => {
  it('formats dates as Python does, in English', () => {
    expect(strftime(date, '%d %b %Y')).toBe('04 Jul 2024')
    expect(strftime(date, '%A, %B %-d, %Y at %I:%M:%S %p')).toBe('Thursday, July 4, 2024 at 03:05:09 PM')
    expect(strftime(date, '%y-%m-%e %H %-H %a')).toBe('24-07- 4 15 15 Thu')
    expect(strftime(new Date(2024, 0, 1, 0, 0), '%I %-I %p %-M')).toBe('12 12 AM 0')
  })

  it('leaves the rest as it is', () => {
    expect(strftime(date, '100%% %Q %')).toBe('100% %Q %')
  })
})
