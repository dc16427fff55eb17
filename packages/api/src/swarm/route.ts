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

const server = {
  peer: z.string().describe('Peer id, base58.'),
  public_name: z.string().optional(),
}

const span = {
  start: z.int().describe('First block.'),
  end: z.int().describe('Block after the last one.'),
}

/** How answers tell the way that they took through a swarm. */
export const routeSchema = z
  .object({
    hops: z.array(
      z.object({
        ...server,
        ...span,
        step_ms: z
          .number()
          .optional()
          .describe('Median time of a decode step there; left out before the first.'),
      }),
    ),
    failovers: z
      .array(
        z.object({
          ...server,
          ...span,
          reason: z.string(),
          position: z.int().describe('Tokens in the session when it happened.'),
          pause_ms: z.number().describe('From the failure to the first result of the new servers.'),
          replaced_by: z.array(z.object(server)),
        }),
      )
      .describe('Servers that were left in mid-session, oldest first.'),
    pushed: z.boolean().describe('Outputs go from server to server instead of through this machine.'),
  })
  .describe('Which servers of the swarm the session goes through, and which were left.')

/** How streams tell what an answer waits for. */
export const waitingSchema = z
  .object({
    blocks: z.array(z.object(span)).describe('Blocks that no server answers for just now.'),
    since: z.number().describe('When the wait began, Unix seconds.'),
    until: z.number().describe('When the answer is given up unless a server comes to life, Unix seconds.'),
  })
  .describe('The answer waits for servers of these blocks.')

/** What answers have besides, where it was asked for. */
export const petalsSchema = z
  .object({
    route: routeSchema.optional(),
    waiting: waitingSchema.nullish().describe('In streams only; null: the answer goes on.'),
  })
  .describe('Extension, on request.')

export type RouteBody = z.output<typeof routeSchema>
export type PetalsBody = z.output<typeof petalsSchema>
export type WaitingBody = z.output<typeof waitingSchema>
export type PetalsRequest = z.output<typeof petalsRequestSchema>
