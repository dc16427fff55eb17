/** What is asked of other servers, or of OpenAI, and how to get it here. */
const OF_OTHER_APIS: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/\/(responses|assistants|threads|messages|complete)\b/, 'Use POST /v1/chat/completions.'],
  [
    /\/api\/(chat|tags|show|embed|embeddings|generate)$|\/(completion|infill)$/,
    "This server has OpenAI's API under /v1.",
  ],
  [
    /\/(audio|images|videos|moderations|files|fine_tuning|batches|realtime|rerank)\b/,
    'Models of this server write text.',
  ],
]

/**
 * A sentence that names the path which was meant: with or without `/v1` too much or too little, in other letters, or
 * below a prefix. `routes`: the paths of all routes.
 */
export function meantPath(path: string, routes: readonly string[]): string | undefined {
  const asked = path
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1')
  const apis = routes.filter((route) => /^\/(v1|api)\//.test(route) && !route.includes(':'))
  const meant = apis.find((route) => asked === route || asked.endsWith(route) || endsAlike(asked, route))
  if (meant !== undefined) return `Did you mean ${meant}?`
  if (/^(\/v1)+$/.test(asked))
    return 'This is the base URL: clients add /chat/completions or /models to it themselves.'
  return OF_OTHER_APIS.find(([pattern]) => pattern.test(asked))?.[1]
}

/** `/chat/completions`, `/openai/models`: what comes behind `/v1` is there, `/v1` is not. */
function endsAlike(asked: string, route: string): boolean {
  return route.startsWith('/v1/') && asked.endsWith(route.slice('/v1'.length))
}
