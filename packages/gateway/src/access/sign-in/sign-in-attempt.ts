import { z } from 'zod'
import type { SignInAttempt } from './openid-provider.ts'

const attemptSchema = z.strictObject({
  state: z.string().min(16).max(200),
  nonce: z.string().min(16).max(200),
  verifier: z.string().min(43).max(128),
  redirectUri: z.url({ protocol: /^https?$/ }).max(2000),
}) satisfies z.ZodType<SignInAttempt>

/** How long a person may take at the provider. */
export const ATTEMPT_SECONDS = 600

/** An attempt as the value of a cookie. Nothing in it is secret to the person who signs in. */
export const writeAttempt = (attempt: SignInAttempt): string =>
  Buffer.from(JSON.stringify(attempt)).toString('base64url')

/** Returns the attempt of a cookie; undefined if it is none. */
export function readAttempt(cookie: string | undefined): SignInAttempt | undefined {
  if (cookie === undefined) return undefined
  try {
    return attemptSchema.safeParse(JSON.parse(Buffer.from(cookie, 'base64url').toString())).data
  } catch {
    return undefined
  }
}
