import { expect, it } from 'vitest'
import { timeTool } from './time.ts'

const time = timeTool(() => new Date('2026-03-29T01:00:00Z'))
const run = (input: object) => time.run(input as Record<string, unknown>, { timeoutMs: 1000 })

it.each([
  [{}, 'Sunday, 2026-03-29T01:00:00+00:00 (UTC)'],
  [{ time_zone: 'Europe/Berlin' }, 'Sunday, 2026-03-29T03:00:00+02:00 (Europe/Berlin)'],
  [{ time_zone: 'America/New_York' }, 'Saturday, 2026-03-28T21:00:00-04:00 (America/New_York)'],
  [{ time_zone: 'Asia/Kathmandu' }, 'Sunday, 2026-03-29T06:45:00+05:45 (Asia/Kathmandu)'],
])('%o', (input, text) => {
  expect(run(input)).toBe(text)
})

it.each([['Mars/Olympus'], [7], ['x'.repeat(1000)]])('refuses the time zone %s', (zone) => {
  expect(() => run({ time_zone: zone })).toThrow(/is no time zone\. Use a name of the IANA list/)
})
