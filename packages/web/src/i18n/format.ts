const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const

/** Bytes in decimal units, as operating systems and download pages show them. */
export function formatBytes(bytes: number, language?: string): string {
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  const digits = power === 0 || value >= 100 ? 0 : 1
  return `${value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits })} ${units[power]}`
}

/** A rate with three significant digits at most. */
export function formatRate(value: number, language?: string): string {
  return value.toLocaleString(language, { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 })
}

/** A whole number with separators. */
export function formatCount(value: number, language?: string): string {
  return Math.round(value).toLocaleString(language)
}

/** Milliseconds as seconds, or as they are where they are few. */
export function formatSeconds(ms: number, language?: string): string {
  if (ms < 100) return `${ms.toLocaleString(language, { maximumFractionDigits: ms < 10 ? 1 : 0 })} ms`
  return `${(ms / 1000).toLocaleString(language, { maximumFractionDigits: ms < 10_000 ? 1 : 0 })} s`
}
