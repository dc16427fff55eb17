import type { Incidents } from '../support/incident.ts'

/** Files that a path of a request reached, or told of. */
export const pathIncidents = {
  'CVE-2024-32869': {
    product: 'Hono < 4.2.7',
    dated: '2024',
    happened: 'serveStatic followed dots in a path out of its folder.',
    holds: 'sends no file for a path with dots, in whatever way they are written',
  },
  'CVE-2026-29087': {
    product: '@hono/node-server < 1.19.10',
    dated: '2026-03',
    happened: 'The file was found after %2F was decoded, the check of the path took place before.',
    holds: 'decodes no %2F: such a path names neither a file nor an API',
  },
  'CVE-2026-29045': {
    product: 'Hono < 4.12.4',
    dated: '2026-03',
    happened: 'The router and serveStatic decoded a path differently, so protected files could be read.',
    holds: 'checks the path that it serves: no other way of writing a path leads past the checks',
  },
  'CVE-2026-39406': {
    product: '@hono/node-server < 1.19.13',
    dated: '2026-04',
    happened: 'Two slashes led past the check of a path, and to the same file.',
    holds: 'checks origins under paths with too many slashes as under the others',
  },
  'CVE-2025-30208': {
    product: 'Vite < 6.2.3',
    dated: '2025-03',
    happened: 'A query of ?raw?? made the development server send any file of the machine.',
    holds: 'serves files from memory by name, and no query changes which',
  },
  'CVE-2025-31125': {
    product: 'Vite < 6.2.4',
    dated: '2025',
    happened: 'The same with ?inline&import.',
    holds: 'knows no path of the file system (@fs, file:, absolute paths)',
  },
  'CVE-2025-27210': {
    product: 'Node.js < 24.4.1 (Windows)',
    dated: '2025',
    happened: 'Names of devices such as CON and AUX let a path leave its folder.',
    holds: 'sends nothing for names of devices, and none for backslashes',
  },
  'CVE-2024-39722': {
    product: 'Ollama < 0.1.46',
    dated: '2024',
    happened: 'The error for a model name told whether a file existed on the server.',
    holds: 'answers alike for models that are named like files, whether those exist or not',
  },
  'CVE-2024-39721': {
    product: 'Ollama < 0.1.34',
    dated: '2024',
    happened: 'A request with the path /dev/random kept a worker reading forever.',
    holds: 'opens no file that a request names',
  },
  'CVE-2025-59426': {
    product: 'LobeChat < 1.130.1',
    dated: '2025',
    happened: 'The address of a redirect was built from headers of the client (open redirect).',
    holds: 'redirects to no other host',
  },
} as const satisfies Incidents
