import { type AccessLimits, accessLimitsSchema, type NewKey, type Scope, scopes } from '@petals-chat/access'
import type { Flags } from '../config/overrides.ts'
import { flagKey } from '../config/settings.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'
import { limitFlags } from './limit-flags.ts'

const DURATION = /^(\d{1,6})\s*(s|min|h|d|w|y)$/
const MS = { s: 1e3, min: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8, y: 3.1536e10 } as const

/** Reads the flags of `keys create`. @throws CommandError that names the flag */
export function newKeyOf(name: string, flags: Flags, now: number): NewKey {
  const expires = textFlag(flags, 'expires')
  return {
    name,
    scopes: scopesOf(listFlag(flags, 'scopes')),
    models: listFlag(flags, 'models'),
    limits: limitsOf(flags),
    expiresAt: expires === undefined ? undefined : timeOf(expires, now),
  }
}

/** Reads `90d`, `12h` or `30min` as milliseconds. @throws CommandError */
export function durationOf(flag: string, text: string): number {
  const [, amount, unit] = DURATION.exec(text.trim()) ?? []
  if (unit !== undefined) return Number(amount) * MS[unit as keyof typeof MS]
  throw wrong(`${flag}: '${text}' is no time. Write a number with s, min, h, d, w or y: 90d.`)
}

function timeOf(text: string, now: number): number {
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return now + durationOf('--expires', text)
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw wrong(`--expires: '${text}' is no date. Write 2027-01-31 or 2027-01-31T12:00Z.`)
}

function scopesOf(names: readonly string[] | undefined): readonly Scope[] | undefined {
  return names?.map((name) => {
    const scope = scopes.find((candidate) => candidate === name)
    if (scope === undefined)
      throw wrong(`--scopes: there is no scope '${name}'. Scopes: ${scopes.join(', ')}.`)
    return scope
  })
}

function limitsOf(flags: Flags): AccessLimits {
  const given = limitFlags.flatMap(([flag, limit]) => {
    const text = textFlag(flags, flagKey({ flag }))
    if (text === undefined) return []
    const parsed = accessLimitsSchema.safeParse({ [limit]: Number(text) })
    if (!parsed.success) throw wrong(`${flag.split(' ')[0]}: '${text}' is no whole number of at least 1.`)
    return [[limit, Number(text)] as const]
  })
  return Object.fromEntries(given)
}

/** An empty list is a mistake, such as a variable of the shell that is not set: its key could do nothing. */
function listFlag(flags: Flags, key: string): readonly string[] | undefined {
  const items = textFlag(flags, key)
    ?.split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
  if (items?.length === 0) throw wrong(`--${key}: name at least one, or leave the flag out.`)
  return items
}

export function textFlag(flags: Flags, key: string): string | undefined {
  const value: unknown = flags[key]
  return typeof value === 'string' ? value : undefined
}

const wrong = (message: string): CommandError => new CommandError(message, exitCodes.usage)
