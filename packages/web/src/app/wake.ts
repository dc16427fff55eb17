/** A tab that nobody looked at for so long may have slept, and the machine with it. */
const MAY_HAVE_SLEPT_MS = 30_000

/** Calls back when the network is back or the tab wakes: connections from before may be dead without knowing it. */
export function onWake(run: () => void): void {
  let hiddenAt = Infinity
  window.addEventListener('online', run)
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hiddenAt = Date.now()
    else if (Date.now() - hiddenAt > MAY_HAVE_SLEPT_MS) run()
  })
}
