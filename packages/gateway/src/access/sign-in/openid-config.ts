import { z } from 'zod'
import { isLoopbackHost } from '../../host-address.ts'

/** An issuer is compared letter by letter with the one in its tokens, so it stays a text. */
const issuerSchema = z.string().refine(isIssuer, {
  message:
    'must be the https address of a provider without query, such as https://login.example.org (http only on loopback)',
})

/** `*`, an e-mail address, a domain of e-mail addresses (`@example.org`), or `sub:` and a subject. */
const userSchema = z
  .string()
  .regex(
    /^(\*|sub:.+|[^\s@]*@[^\s@]+)$/,
    'must be "*", an address (ada@example.org), a domain (@example.org) or a subject (sub:1234)',
  )

/** The `openid:` section: sign-in on the page through an OpenID Connect provider. */
export const openIdSchema = z
  .strictObject({
    issuer: issuerSchema.describe(
      'Address of the OpenID Connect provider, exactly as it names itself in its discovery document.',
    ),
    clientId: z.string().min(1).describe('The id under which the provider knows this server.'),
    clientSecret: z
      .string()
      .min(1)
      .optional()
      .describe('The secret of that client. Without one, the provider must accept public clients with PKCE.'),
    redirectUri: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe(
        'The redirect URI that is registered at the provider: the address of the page with `sign-in/callback` at its end. ' +
          'Left out, it is made of the address under which the browser reached this server.',
      ),
    name: z
      .string()
      .min(1)
      .max(60)
      .optional()
      .describe('The provider on the button of the page. Default: the host name of the issuer.'),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be a scope without spaces'))
      .default(['openid', 'profile', 'email'])
      .describe('Scopes that the provider is asked for.'),
    users: z
      .array(userSchema)
      .default([])
      .describe(
        'Who may sign in: addresses, domains (`@example.org`), subjects (`sub:1234`), or `"*"` for every account of the ' +
          'provider. An address counts only if the provider says that it is verified.',
      ),
    groups: z
      .array(z.string().min(1))
      .default([])
      .describe('Groups whose members may sign in, as the claim `groups` of the provider names them.'),
  })
  .refine(({ users, groups }) => users.length + groups.length > 0, {
    path: ['users'],
    message: 'must say who may sign in (or `groups`); `["*"]` allows every account of the provider',
  })

export type OpenIdConfig = Readonly<z.output<typeof openIdSchema>>

function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, search, hash, username } = new URL(text)
  if (search !== '' || hash !== '' || username !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))
}
