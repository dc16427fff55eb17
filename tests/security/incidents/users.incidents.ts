import type { Incidents } from '../support/incident.ts'

/** What one user could read, continue or delete of another one. */
export const userIncidents = {
  'CVE-2026-31950': {
    product: 'LibreChat 0.8.2',
    dated: '2026',
    happened: 'The stream of an answer could be read by each user who knew its id.',
    holds: 'lets only the maker of an answer read its stream',
  },
  'CVE-2026-45349': {
    product: 'Open WebUI < 0.9.0',
    dated: '2026',
    happened: 'The id of a chat was enough to continue the chat of another user.',
    holds: 'lets only the maker of a session resume it',
  },
  'CVE-2026-45671': {
    product: 'Open WebUI < 0.9.0',
    dated: '2026',
    happened: 'Users could delete files of others.',
    holds: 'lets no other user cancel or delete an answer',
  },
  'CVE-2025-46570': {
    product: 'vLLM < 0.9.0',
    dated: '2025',
    happened: 'The time to the first token told whether another user had sent the same prefix.',
    holds: 'reuses no KV cache for another user, and counts no cached tokens of one',
  },
  'CVE-2026-59822': {
    product: 'LiteLLM < 1.84.0',
    dated: '2026',
    happened: 'An invented Authorization header led to a fallback that let the request in without a key.',
    holds: 'refuses whatever is no credential, on every route',
  },
  'CVE-2025-64513': {
    product: 'Milvus < 2.6.5',
    dated: '2025',
    happened: 'A header meant for other parts of the system gave each client the rights of an administrator.',
    holds: 'believes the name of a user only from a trusted proxy, and one name only',
  },
} as const satisfies Incidents
