import { accessLimitsSchema } from '@petals-chat/api'
import { z } from 'zod'

const storeSchema = z.strictObject({
  url: z
    .string()
    .regex(
      /^(redis|rediss|valkey|valkeys):\/\/[^@\s]+$/,
      'must be a URL without user and password, such as redis://127.0.0.1:6379',
    )
    .describe(
      '`redis://` or `valkey://`, with TLS `rediss://` or `valkeys://`; a number as its path selects a database.',
    ),
  username: z.string().optional().describe('User of an access control list of the server.'),
  password: z.string().optional().describe('Password of the server or of the user.'),
})

/** `server.limits`: how much callers may use. Without it, nothing is limited. */
export const limitsSchema = z.strictObject({
  perAddress: accessLimitsSchema
    .prefault({})
    .describe(
      'Limits for clients without a key, by their address; of IPv6 by the /64 network. Empty by default: nothing is limited.',
    ),
  perCaller: accessLimitsSchema
    .prefault({})
    .describe('Limits of each key and each signed-in person that has none of its own.'),
  store: storeSchema
    .optional()
    .describe(
      'A Valkey or Redis server in which several gateways count together. Without it each gateway counts in its own ' +
        'memory; it also does so while the server does not answer.',
    ),
})

export type StoreConfig = Readonly<z.output<typeof storeSchema>>

export type LimitsConfig = Readonly<z.output<typeof limitsSchema>>
