const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Undefined: the browser's own locale. */
let locale: string | undefined

/** Sets the locale for numbers and dates. It changes together with the texts around them. */
export function formatIn(tag: string): void {
  locale = tag
}

/** Formats bytes in decimal units, as operating systems and download pages do. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  const digits = power === 0 || value >= 100 ? 0 : 1
  return `${formatNumber(value, { maximumFractionDigits: digits, minimumFractionDigits: digits })} ${units[power]}`
}

/** Formats a rate with at most three significant digits. */
export function formatRate(value: number): string {
  return formatNumber(value, { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 })
}

/** Formats a whole number with separators. */
export function formatCount(value: number): string {
  return formatNumber(Math.round(value))
}

/** Formats milliseconds as seconds, or as milliseconds below 100. */
export function formatSeconds(ms: number): string {
  if (ms < 100) return `${formatNumber(ms, { maximumFractionDigits: ms < 10 ? 1 : 0 })} ms`
  return `${formatNumber(ms / 1000, { maximumFractionDigits: ms < 10_000 ? 1 : 0 })} s`
}

/** Formats a share from 0 to 1 as a percentage. */
export function formatPercent(share: number): string {
  return formatNumber(share, { style: 'percent', maximumFractionDigits: 0 })
}

/** Formats milliseconds since 1970 as date and time of day. */
export function formatTime(time: number): string {
  return new Date(time).toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'medium' })
}

/** Formats milliseconds since 1970 as time of day, to the second, for a moment in the near future. */
export function formatClock(time: number): string {
  return new Date(time).toLocaleTimeString(locale, { timeStyle: 'medium' })
}

/** Formats a value of a setting, with up to four decimal places. */
export function formatExact(value: number): string {
  return formatNumber(value, { maximumFractionDigits: 4 })
}

function formatNumber(value: number, options: Intl.NumberFormatOptions = {}): string {
  return value.toLocaleString(locale, options)
}

/** The plural forms of a text, by the categories of `Intl.PluralRules`. */
export type PluralForms = { readonly other: string } & Partial<Record<Intl.LDMLPluralRule, string>>

/** Returns the function that picks the plural form for a number in a language. */
export function pluralsOf(language: string): (count: number, forms: PluralForms) => string {
  const rules = new Intl.PluralRules(language)
  return (count, forms) => forms[rules.select(count)] ?? forms.other
}
