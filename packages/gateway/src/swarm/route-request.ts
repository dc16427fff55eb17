import { z } from 'zod'

/** What a request of /v1 may ask of a swarm engine besides. */
export const petalsRequestSchema = z.strictObject({
  route: z
    .boolean()
    .nullish()
    .describe(
      'Tell which servers the answer takes, in `petals.route`, and in streams which blocks it waits for, in `petals.waiting`.',
    ),
})

export const routeHeader = 'x-petals-route'

/** By the field of the body, or by the header, for clients whose library has no room for further fields. */
export function asksForRoute(
  petals: z.output<typeof petalsRequestSchema> | null | undefined,
  header: (name: string) => string | undefined,
): boolean {
  return petals?.route ?? /^(1|true)$/i.test(header(routeHeader) ?? '')
}
