/** The part of Trusted Types that is used here; TypeScript's DOM types do not have it yet. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string }
}

/** Beside the page, wherever that stands: its folder is what the worker is for. */
const SCRIPT = 'sw.js'

/** Lets the page open without its server. Only on https and this machine: elsewhere browsers have no service workers. */
export function registerServiceWorker(): void {
  if (!('serviceWorker' in navigator)) return
  navigator.serviceWorker.register(scriptUrl()).catch(() => {
    // Storage refused or full: the page works as long as its server does.
  })
}

/** Under `require-trusted-types-for 'script'` only a policy may name a script, and this one names no other. */
function scriptUrl(): string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes }
  if (!trustedTypes) return SCRIPT
  return trustedTypes.createPolicy('petals-chat', { createScriptURL: () => SCRIPT }).createScriptURL(SCRIPT)
}
