import type { Offer, UpstreamServer } from './server.ts'

/** The models of all servers, in the order in which they list them. */
export function offersOf(servers: readonly UpstreamServer[]): readonly Offer[] {
  const all = new Map<string, Offer>()
  for (const { offers } of servers)
    for (const offer of offers?.values() ?? []) if (!all.has(offer.name)) all.set(offer.name, offer)
  return [...all.values()]
}

/**
 * Says what is wrong with the lists of servers that answer, and how to mend it. Undefined: nothing, as far as is known.
 * @param model its name at the servers; undefined: whichever they list (`models: auto`)
 */
export function listDetail(
  servers: readonly UpstreamServer[],
  model: string | undefined,
): string | undefined {
  const names = offersOf(servers).map(({ name }) => name)
  const lacking = lackingOf(servers, model)
  if (lacking !== '')
    return `${lacking}${model === undefined ? ' Correct it, or set model instead of models: auto.' : ''}`
  if (servers.some(({ offers }) => offers === undefined || (model !== undefined && offers.has(model))))
    return undefined
  if (model === undefined)
    return names.length > 0
      ? undefined
      : 'The server lists no models. Load one there, or set model instead of models: auto.'
  if (names.length === 0) return `The server lists no models. Load '${model}' there.`
  return `The server does not list the model '${model}', but ${names.slice(0, 5).join(', ')}. Set model in the configuration.`
}

/** A server that has answered needs no list, unless the list says which models there are. */
function lackingOf(servers: readonly UpstreamServer[], model: string | undefined): string {
  return servers
    .filter(
      ({ listProblem, hasAnswered }) => listProblem !== undefined && !(hasAnswered && model !== undefined),
    )
    .map(({ name, listProblem }) => `The server ${name} ${listProblem}.`)
    .join(' ')
}
