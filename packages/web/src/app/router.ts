import { createStore, type Store } from '../state/store.ts'

/** The page's places live behind `#`: the server needs no routes for them, and they work offline. */
export type Route =
  | { readonly page: 'new' }
  | { readonly page: 'chat'; readonly chatId: string }
  | { readonly page: 'swarm' }
  | { readonly page: 'compare' }

export function parseRoute(hash: string): Route {
  const [page, id] = hash.replace(/^#\/?/, '').split('/')
  if (page === 'c' && id) return { page: 'chat', chatId: id }
  if (page === 'swarm' || page === 'compare') return { page }
  return { page: 'new' }
}

export function formatRoute(route: Route): string {
  if (route.page === 'chat') return `#/c/${route.chatId}`
  return route.page === 'new' ? '#/' : `#/${route.page}`
}

export interface Router extends Store<Route> {
  /** `replace`: without a step in the browser's history. */
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
