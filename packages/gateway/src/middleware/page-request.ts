import type { Caller } from '../access/caller.ts'
import { presentedKeys } from '../access/presented-key.ts'
import { isSameOrigin, originOf } from './origin-policy.ts'

/**
 * Reports whether the page of this server sent the request. A program can write any Origin, so where callers have
 * credentials, only a person who is signed in counts: the page never sends an API key.
 */
export const isPageRequest = (
  header: (name: string) => string | undefined,
  { id }: Pick<Caller, 'id'>,
): boolean => isSameOrigin(originOf(header)) && (id === 'anonymous' || presentedKeys({ header }).length === 0)
