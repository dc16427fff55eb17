import { z } from 'zod'
import { errorSchema } from './error.ts'
import type { Immutable } from './immutable.ts'
import { json, type Operation, type OperationParameter, type OperationTag } from './operation.ts'

export const sessionTag: OperationTag = {
  name: 'Sign-in',
  description:
    'How the chat page signs its reader in and out. Programs need none of this: they send their API key with each request.',
}

/** Who sends the requests of this browser, and how a person can sign in. */
export const sessionSchema = z.object({
  object: z.literal('session'),
  required: z.boolean().describe('Whether this server asks for a key or a sign-in.'),
  user: z
    .object({
      id: z.string().describe('Stable, and not secret.'),
      name: z.string().describe('The name of the user or of the key.'),
      via: z
        .enum(['key', 'openid', 'proxy'])
        .describe(
          'Signed in with an API key, through the OpenID Connect provider, or by the proxy in front.',
        ),
      scopes: z.array(z.string()),
      expires_at: z.int().nullable().describe('When the sign-in ends, in seconds since 1970; null: never.'),
    })
    .nullable()
    .describe('Null: this client is not signed in.'),
  ways: z
    .object({
      key: z.boolean().describe('A person can sign in with an API key.'),
      openid: z
        .object({ name: z.string().describe('The name of the provider.') })
        .nullable()
        .describe('A browser that goes to `/sign-in` is sent to this provider.'),
      sign_out: z
        .string()
        .nullable()
        .describe('Where the browser goes to sign out, if the proxy in front has signed its user in.'),
    })
    .describe('How a person can sign in.'),
})

export type SessionBody = Immutable<z.output<typeof sessionSchema>>

/** Body of `POST /v1/session`. */
export const signInSchema = z.strictObject({
  key: z.string().min(1).max(200).describe('An API key of this server.'),
})

const cookie = 'Sets or removes the cookie of the page, which no script can read.'

const operation = (given: Pick<Operation, 'id' | 'method' | 'summary'> & Partial<Operation>): Operation => ({
  tag: sessionTag.name,
  scope: 'open',
  path: '/v1/session',
  responses: { 200: { description: 'Who is signed in now.', content: json(sessionSchema) } },
  error: errorSchema,
  errorStatuses: [],
  ...given,
})

const query = (name: string, description: string): OperationParameter => ({
  name,
  in: 'query',
  schema: z.string().optional(),
  description,
})

const redirect = { 303: { description: 'Sends the browser on.', content: {} } }

export const sessionOperations: readonly Operation[] = [
  operation({ id: 'getSession', method: 'get', summary: 'Who is signed in, and how to sign in' }),
  operation({
    id: 'signIn',
    method: 'post',
    summary: 'Sign in with an API key',
    description: `${cookie} Only pages of this server may call this.`,
    request: json(signInSchema),
    example: { key: 'an API key' },
    errorStatuses: [400, 401, 403, 404],
  }),
  operation({
    id: 'signOut',
    method: 'delete',
    summary: 'Sign out',
    description: `${cookie} All that the signed-in browser still receives ends within a second.`,
    errorStatuses: [403],
  }),
  operation({
    id: 'beginSignIn',
    method: 'get',
    path: '/sign-in',
    summary: 'Sign in through the OpenID Connect provider',
    description: 'For the browser itself: sends it to the provider.',
    responses: redirect,
    errorStatuses: [404],
  }),
  operation({
    id: 'finishSignIn',
    method: 'get',
    path: '/sign-in/callback',
    summary: 'The redirect URI that is registered at the provider',
    description: 'For the browser itself: comes back from the provider, and is sent to the page.',
    parameters: [
      query('code', 'The authorization code.'),
      query('state', 'What the browser was sent with.'),
      query('iss', 'The provider (RFC 9207).'),
      query('error', 'Why the provider refused.'),
    ],
    responses: redirect,
    errorStatuses: [404],
  }),
]
