import type { Caller } from '../access/caller.ts'
import { isSameOrigin, originOf } from '../request-origin.ts'

/**
 * Reports whether the page of this server sent the request. A program can write any Origin, so where callers have
 * credentials, only a person who is signed in counts: the page never sends an API key.
 */
export const isPageRequest = (
  header: (name: string) => string | undefined,
  { credential }: Pick<Caller, 'credential'>,
): boolean => credential !== 'key' && isSameOrigin(originOf(header))
