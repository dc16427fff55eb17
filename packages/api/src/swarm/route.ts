import { z } from 'zod'
import type { Immutable } from '../immutable.ts'

/** `petals` of a request: the reports that it asks a swarm engine for. */
export const petalsRequestSchema = z.strictObject({
  route: z
    .boolean()
    .nullish()
    .describe(
      'Report the servers that the answer uses in `petals.route`, in streams the blocks that it waits for in `petals.waiting` and its place in the queue in `petals.queue`, and in `petals.fallback` why another model than the one that was asked for has answered.',
    ),
})

const peer = {
  peer: z.string().describe('Peer id, base58.'),
  public_name: z.string().optional(),
}

const span = {
  start: z.int().describe('First block.'),
  end: z.int().describe('The block after the last one.'),
}

const hopSchema = z.object({
  ...peer,
  ...span,
  step_ms: z
    .number()
    .optional()
    .describe('Median time of a decode step there; omitted before the first step.'),
  standby: z
    .object({ ...peer, position: z.int().describe('Tokens of the session that it holds.') })
    .optional()
    .describe('Another server of the same blocks that follows the session and can take over at once.'),
})

const failoverSchema = z.object({
  ...peer,
  ...span,
  reason: z.string(),
  position: z.int().describe('Tokens in the session when the server failed.'),
  pause_ms: z.number().describe('From the failure to the first result of the new servers.'),
  replaced_by: z.array(z.object(peer)),
  wrong_from: z
    .int()
    .optional()
    .describe(
      'The server was found to compute something else than its blocks: tokens of the session from this position up to `position` were made with its outputs and may be wrong.',
    ),
  by_standby: z.boolean().optional().describe('A standby took over, which held the session already.'),
  precision: z
    .object({
      before: z.string().describe('For example `F32`.'),
      after: z.string().describe('For example `Q8_0`.'),
    })
    .optional()
    .describe(
      'Only where the replacement computes with another number type, quantization or program: from `position` on, the answer may go on with other words than it would have.',
    ),
})

/** The route that an answer took through a swarm. */
export const routeSchema = z
  .object({
    hops: z.array(hopSchema),
    failovers: z.array(failoverSchema).describe('Servers that were replaced in mid-session, oldest first.'),
    pushed: z.boolean().describe('Servers send their outputs to the next server instead of to this machine.'),
    tokens_per_step: z
      .number()
      .optional()
      .describe(
        'Tokens that a step of the servers has brought so far, on average; omitted if none were guessed in advance.',
      ),
  })
  .describe('The servers of the swarm that the session uses, and those that were replaced.')

/** The report of a stream while its answer waits. */
export const waitingSchema = z
  .object({
    blocks: z.array(z.object(span)).describe('Blocks that no server serves at the moment.'),
    since: z.number().describe('When the wait began, Unix seconds.'),
    until: z
      .number()
      .describe('When the answer fails unless a server of these blocks appears, Unix seconds.'),
  })
  .describe('The answer waits for servers of these blocks.')

/** The report of a stream while its answer waits for its turn. */
export const queueSchema = z
  .object({ place: z.int().min(1).describe('1: the next one.') })
  .describe("The place of the answer in the model's queue, as it is now.")

/** Why another model than the one that was asked for has answered. */
export const fallbackSchema = z
  .object({
    model: z.string().describe('The model that was asked for.'),
    reason: z.string().describe('Why it could not answer.'),
  })
  .describe(
    'The model that was asked for could not answer: `model` of the answer names the one that wrote it.',
  )

/** `petals` of an answer, where the request asked for it. */
export const petalsSchema = z
  .object({
    route: routeSchema.optional(),
    waiting: waitingSchema.nullish().describe('In streams only; null: the answer continues.'),
    queue: queueSchema.nullish().describe('In streams only; null: it is the turn of the answer.'),
    fallback: fallbackSchema.optional(),
  })
  .describe('Extension, on request.')

export type PetalsRequest = z.output<typeof petalsRequestSchema>
export type PetalsBody = z.output<typeof petalsSchema>
export type RouteBody = z.output<typeof routeSchema>
export type RouteHopBody = Immutable<z.output<typeof hopSchema>>
export type FailoverBody = Immutable<z.output<typeof failoverSchema>>
export type WaitingBody = z.output<typeof waitingSchema>
export type QueueBody = z.output<typeof queueSchema>
export type FallbackBody = z.output<typeof fallbackSchema>
