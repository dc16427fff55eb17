import type { PetalsRequest } from '@petals-chat/api'

export const routeHeader = 'x-petals-route'

/** By the field of the body, or by the header, for clients whose library has no room for further fields. */
export function asksForRoute(
  petals: PetalsRequest | null | undefined,
  header: (name: string) => string | undefined,
): boolean {
  return petals?.route ?? /^(1|true)$/i.test(header(routeHeader) ?? '')
}
