/** How much a server may say. What exceeds a bound is left out or cut, and told in `problem`. */
export const bounds = {
  /** Bytes of one response, or of one stream of notifications. */
  responseBytes: 4 * 1024 * 1024,
  /** Bytes of one page of a list of tools. */
  listBytes: 1024 * 1024,
  /** Requests to one server that are under way: those of its calls, those that cancel them, and as many that it can cause itself. */
  requests: 64,
  /** Calls of one server that run; others wait. */
  callsOfServer: 16,
  /** Time to connect, and to list the tools. */
  connectMs: 10_000,
  /** Until a server that failed is tried again. */
  retryMs: 1_000,
  /** A list that is older is read again. */
  listAgeMs: 5 * 60_000,
  /** A list that its server says has changed is read again, but not more often. */
  relistMs: 2_000,
  /** Pages of a list. */
  pages: 16,
  /** Tools of a server. */
  tools: 128,
  /** Tools of a list that are looked at, for those that `allowedTools` may name. */
  listedTools: 1024,
  /** Characters of a schema, as JSON. */
  schemaChars: 32_768,
  /** Objects and lists within each other in a schema. */
  schemaDepth: 32,
  /** Characters of the schemas and descriptions of a server, together. */
  listChars: 262_144,
  /** Characters of a description. */
  descriptionChars: 4_096,
  /** Characters of a title, and of a name at the server. */
  nameChars: 128,
  /** Calls that run, of all tools. */
  calls: 64,
} as const

/** The text in at most `length` characters, without half a character at the end. */
export const cut = (text: string, length: number): string =>
  (text.length <= length ? text : text.slice(0, length)).toWellFormed()
