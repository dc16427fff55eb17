// Opens the page without a server, to read old chats. The build fills in its files and their version.
/** The base address of the page: several pages may share an origin, each below its own path. */
const BASE = new URL('./', location.href)
const CACHE_PREFIX = BASE.pathname === '/' ? 'petals-chat-' : `petals-chat:${BASE.pathname}:`
const CACHE = `${CACHE_PREFIX}__VERSION__`
const FILES = ['__FILES__'].map((name) => new URL(name, BASE).pathname)
const ASSETS = new URL('assets/', BASE).pathname
/** A server that does not answer a navigation within this time counts as unreachable; the page itself keeps asking it. */
const NAVIGATION_TIMEOUT_MS = 4000
/** `Vary` names headers that change the encoding of a file, not its content. */
const anyVariant = { ignoreVary: true }

addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)))
})

addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => names.filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE))
      .then((old) => Promise.all(old.map((name) => caches.delete(name)))),
  )
})

addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== location.origin) return
  if (request.mode === 'navigate') {
    if (pathname === BASE.pathname) event.respondWith(openPage(request))
  } else if (pathname.startsWith(ASSETS) || FILES.includes(pathname)) {
    event.respondWith(fromCache(request))
  }
})

/** Returns the server's page, so that it is never older than the server; the stored page if there is no server. */
async function openPage(request) {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(NAVIGATION_TIMEOUT_MS) })
  } catch {
    return (await caches.match(BASE.pathname, anyVariant)) ?? Response.error()
  }
}

/** File names in `assets` change with their content: stored files never become stale. */
async function fromCache(request) {
  const stored = await caches.match(request, anyVariant)
  if (stored) return stored
  const response = await fetch(request)
  if (response.ok && new URL(request.url).pathname.startsWith(ASSETS)) {
    const cache = await caches.open(CACHE)
    await cache.put(request, response.clone())
  }
  return response
}
