import type { KeyPath } from './problem.ts'

/** Keys whose values no log, message or print-out may show. */
const secretKeys: ReadonlySet<string> = new Set([
  'token',
  'apiKey',
  'apiKeys',
  'password',
  'secret',
  'privateKey',
])

export const isSecret = (path: KeyPath): boolean => path.some((key) => secretKeys.has(String(key)))
