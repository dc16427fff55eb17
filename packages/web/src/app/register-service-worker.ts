/** The part of Trusted Types that is used here; TypeScript's DOM types lack it. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string }
}

/** Relative to the page: a service worker controls the folder that it lies in. */
const SCRIPT = 'sw.js'

/**
 * Lets the page open without its server. Works on https and on localhost only: elsewhere browsers have no service
 * workers.
 */
export function registerServiceWorker(): void {
  if (!('serviceWorker' in navigator)) return
  navigator.serviceWorker.register(scriptUrl()).catch(() => {
    // Storage is refused or full: the page works as long as its server does.
  })
}

/** Under `require-trusted-types-for 'script'`, only a policy may name a script; this policy names no other. */
function scriptUrl(): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  if (!trustedTypes) return SCRIPT
  return trustedTypes.createPolicy('petals-chat', { createScriptURL: () => SCRIPT }).createScriptURL(SCRIPT)
}
