import { ToolFailure } from '../tool-server.ts'
import type { BuiltInTool } from './built-in-tool.ts'

/** The date and the time. `now`: for tests. */
export const timeTool = (now: () => Date = () => new Date()): BuiltInTool => ({
  name: 'time',
  title: 'Time',
  description: 'The date, the day of the week and the time now, in a time zone.',
  inputSchema: {
    type: 'object',
    properties: {
      time_zone: {
        type: 'string',
        description: 'An IANA time zone such as Europe/Berlin. Default: UTC.',
      },
    },
    additionalProperties: false,
  },
  readOnly: true,
  run: ({ time_zone: zone = 'UTC' }) => {
    if (typeof zone !== 'string' || zone.length > 64) throw unknownZone(zone)
    return timeIn(zone === '' ? 'UTC' : zone, now())
  },
})

function timeIn(timeZone: string, date: Date): string {
  const format = formatOf(timeZone)
  const part = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]))
  const offset = part['timeZoneName']!.replace('GMT', '') || '+00:00'
  const day = `${part['year']}-${part['month']}-${part['day']}`
  return `${part['weekday']}, ${day}T${part['hour']}:${part['minute']}:${part['second']}${offset} (${timeZone})`
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-GB', {
      timeZone,
      weekday: 'long',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'longOffset',
    })
  } catch {
    throw unknownZone(timeZone)
  }
}

const unknownZone = (zone: unknown): ToolFailure =>
  new ToolFailure(
    `${JSON.stringify(zone)?.slice(0, 70)} is no time zone. Use a name of the IANA list, such as Europe/Berlin or America/New_York.`,
  )
