import type { KeyPath } from './problem.ts'

/** Keys whose values must not appear in logs, messages or printed configurations. */
const secretKeys: ReadonlySet<string> = new Set([
  'token',
  'apiKey',
  'apiKeys',
  'password',
  'secret',
  'clientSecret',
  'privateKey',
  'headers',
])

export const isSecret = (path: KeyPath): boolean => path.some((key) => secretKeys.has(String(key)))
