import { accessLimitsSchema, scopes } from '@petals-chat/api'
import { z } from 'zod'
import { openIdSchema } from './openid-config.ts'
import { proxyUsersSchema } from './proxy-users.ts'

const usersSchema = z.strictObject({
  scopes: z
    .array(z.enum(scopes))
    .default(['models', 'openai', 'legacy', 'swarm'])
    .describe('What people may do who sign in through the provider or the proxy.'),
  models: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Ids of the models that they may see and use. Left out: all.'),
  limits: accessLimitsSchema
    .prefault({})
    .describe(
      'Limits of each of them, counted for each person, in all browsers together. What is left out here is limited by ' +
        '`server.limits.perCaller`.',
    ),
})

/** The `signIn:` section: how people sign in on the page. With API keys, they always can. */
export const signInSchema = z.strictObject({
  hours: z
    .number()
    .positive()
    .max(24 * 366)
    .default(24 * 7)
    .describe('Hours after which a person must sign in on the page again.'),
  openid: openIdSchema.optional().describe('Sign-in through an OpenID Connect provider.'),
  proxy: proxyUsersSchema.optional().describe('Users whom a trusted proxy has signed in.'),
  users: usersSchema.prefault({}),
})

export type SignInConfig = Readonly<z.output<typeof signInSchema>>
