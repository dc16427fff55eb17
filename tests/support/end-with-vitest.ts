// A worker of vitest goes on, with all that its tests have started, when vitest itself is ended by a signal or killed.
// Loaded in every worker (`setupFiles`).
const installed = Symbol.for('petals-chat.end-with-vitest')
const state = globalThis as { [installed]?: true }

if (!state[installed]) process.once('disconnect', () => process.exit(1))
state[installed] = true
