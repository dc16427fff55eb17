import { vi } from 'vitest'

// `vi.waitFor` gives up after a second, less than a busy machine takes for many things. Unlike that of `expect.poll`, its
// default can't be configured. Loaded in every worker (`setupFiles`).
const defaults = { timeout: 60_000 }
const installed = Symbol.for('petals-chat.patient-waits')
const state = globalThis as { [installed]?: true }

if (!state[installed]) {
  const waitFor = vi.waitFor.bind(vi)
  vi.waitFor = (callback, options) =>
    waitFor(callback, typeof options === 'number' ? options : { ...defaults, ...options })
}
state[installed] = true
