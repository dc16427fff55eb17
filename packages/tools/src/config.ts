import { z } from 'zod'

/** The name of the built-in tools among the servers. */
export const BUILT_IN = 'builtin'

const addressSchema = z.string().transform((text, context) => {
  const problem = addressProblem(text)
  if (problem !== undefined) {
    context.addIssue({ code: 'custom', message: problem })
    return z.NEVER
  }
  return text
})

function addressProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return `'${text}' is no URL. Write one such as http://127.0.0.1:9000/mcp.`
  const { protocol, username, password, hash } = new URL(text)
  if (protocol !== 'http:' && protocol !== 'https:')
    return `An MCP server is reached by http: or https:, not by ${protocol} Programs are not started from here: start the server, and write its address.`
  if (username !== '' || password !== '')
    return 'The address has a name or a password in it. Send them in a header: authorization: Basic …'
  if (hash !== '') return `The address ends in '${hash}', which is never sent. Leave it out.`
  return undefined
}

/** Headers that the protocol itself sets. */
const reserved =
  /^(host|connection|content-.*|transfer-encoding|accept|accept-encoding|te|upgrade|expect|keep-alive|mcp-.*|last-event-id)$/i

const headersSchema = z.record(z.string(), z.string()).superRefine((headers, context) => {
  for (const [name, value] of Object.entries(headers)) {
    const issue = (message: string) => context.addIssue({ code: 'custom', path: [name], message })
    if (reserved.test(name)) issue(`The header '${name}' is set by the program itself. Leave it out.`)
    else if (!isHeader(name, value))
      issue(
        `'${name}' is no header, or its value has characters that no header may have, such as a line break.`,
      )
  }
})

function isHeader(name: string, value: string): boolean {
  try {
    new Headers([[name, value]])
    return true
  } catch {
    return false
  }
}

const hostPattern = /^(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(:\d{1,5})?$/i
const hostSchema = z
  .string()
  .regex(
    hostPattern,
    'must be a name or an address, with a port or without: example.org, *.example.org, 10.0.0.7:8080',
  )

const serverSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$/,
      'must be 1 to 24 small letters, digits and dashes, such as wiki',
    )
    .refine(
      (name) => name !== BUILT_IN,
      `'${BUILT_IN}' is the name of the built-in tools. Choose another one.`,
    )
    .describe(
      'Its name in tools: models see `NAME__TOOL`. Clients of /v1/responses name it as `server_label`.',
    ),
  url: addressSchema.describe('Its address, as in http://127.0.0.1:9000/mcp. Redirects are not followed.'),
  headers: headersSchema
    .default({})
    .describe(
      'Sent with each request to this server and to no other, such as `authorization: Bearer ${WIKI_TOKEN}`.',
    ),
  allowedTools: z
    .array(z.string().min(1).max(128))
    .optional()
    .describe('The tools that are offered, by their names at the server. Left out: all of them.'),
})

/** `tools:` of the configuration. */
export const toolsConfigSchema = z
  .strictObject({
    builtIn: z
      .strictObject({
        time: z.boolean().default(true).describe('The date and the time in a time zone.'),
        calculator: z.boolean().default(true).describe('The value of a formula.'),
        fetch: z
          .union([z.boolean(), z.array(hostSchema).min(1).max(100)])
          .default(false)
          .describe(
            'The text of a web page. true: of any public host; a list of hosts: only of these (`*.example.org` for those below it, a port where it is not 80 or 443). ' +
              'Hosts in private networks and on this machine only where the list names them.',
          ),
      })
      .prefault({})
      .describe('Tools that need no server.'),
    servers: z
      .array(serverSchema)
      .max(32)
      .default([])
      .describe('MCP servers (Streamable HTTP). They are untrusted: see docs/tools.md.'),
    maxRounds: z
      .int()
      .min(1)
      .max(100)
      .default(8)
      .describe('How often a model may call tools before it has to answer.'),
    timeoutSeconds: z.number().min(0.1).max(3600).default(30).describe('How long one call may take.'),
    maxResultChars: z
      .int()
      .min(100)
      .max(1_000_000)
      .default(20_000)
      .describe('Characters of a result that the model reads; a longer one is cut.'),
  })
  .superRefine(({ servers }, context) => {
    for (const [index, { name }] of servers.entries())
      if (servers.findIndex((other) => other.name === name) < index)
        context.addIssue({
          code: 'custom',
          path: ['servers', index, 'name'],
          message: `Two servers are named '${name}'. Give each a name of its own.`,
        })
  })

export type ToolsConfig = Readonly<z.output<typeof toolsConfigSchema>>
export type McpServerConfig = Readonly<z.output<typeof serverSchema>>
export type FetchConfig = ToolsConfig['builtIn']['fetch']
