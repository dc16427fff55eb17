import { fileURLToPath } from 'node:url'

/** Python files of this package, beside `src` and `dist`. */
export const pythonFolder = fileURLToPath(new URL('../python/', import.meta.url))

/** Starts a Petals server, with the arguments of `petals.cli.run_server`. */
export const petalsServerScript = fileURLToPath(new URL('../python/petals_server.py', import.meta.url))
