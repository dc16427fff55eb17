import { createStore, type Store } from '../store.ts'

/** A message that a search found, and the words of the search. */
export interface FoundPlace {
  readonly words: string
  readonly messageId: string
}

/** The page's routes stand behind `#`: the server needs no routes for them, and they work offline. */
export type Route =
  | { readonly page: 'new' }
  | { readonly page: 'chat'; readonly chatId: string; readonly found?: FoundPlace | undefined }
  | { readonly page: 'swarm' }
  | { readonly page: 'compare' }

export function parseRoute(hash: string): Route {
  const [place = '', query] = hash.replace(/^#\/?/, '').split('?')
  const [page, id] = place.split('/')
  if (page === 'c' && id) return { page: 'chat', chatId: decoded(id), found: parseFound(query) }
  if (page === 'swarm' || page === 'compare') return { page }
  return { page: 'new' }
}

/** Ids of imported chats may contain any characters. */
function decoded(id: string): string {
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}

function parseFound(query: string | undefined): FoundPlace | undefined {
  const parameters = new URLSearchParams(query)
  const [words, messageId] = [parameters.get('find'), parameters.get('at')]
  return words && messageId ? { words, messageId } : undefined
}

export function formatRoute(route: Route): string {
  if (route.page !== 'chat') return route.page === 'new' ? '#/' : `#/${route.page}`
  const { chatId, found } = route
  const query = found && new URLSearchParams({ find: found.words, at: found.messageId }).toString()
  const address = `#/c/${encodeURIComponent(chatId)}`
  return query ? `${address}?${query}` : address
}

export interface Router extends Store<Route> {
  /** `replace`: adds no entry to the browser's history. */
  go(route: Route, options?: { readonly replace?: boolean }): void
}

export function createRouter(window: Window): Router {
  const store = createStore(parseRoute(window.location.hash))
  window.addEventListener('hashchange', () => store.set(parseRoute(window.location.hash)))
  return {
    get: store.get,
    subscribe: store.subscribe,
    go(route, { replace = false } = {}) {
      if (replace) window.history.replaceState(null, '', formatRoute(route))
      else window.history.pushState(null, '', formatRoute(route))
      store.set(route)
    },
  }
}
