import type { Incidents } from '../support/incident.ts'

/** Secrets of operators, and texts of users, in places where they do not belong. */
export const secretIncidents = {
  'CVE-2024-9606': {
    product: 'LiteLLM < 1.44.12',
    published: '2025-03',
    happened: 'The log masked only the first characters of a key, and showed the rest.',
    holds: 'logs no credential, no prompt and no answer, of requests that succeed and that fail',
  },
  'CVE-2025-0330': {
    product: 'LiteLLM 1.52.1',
    published: '2025-03',
    happened: 'An error while settings were read sent keys of the operator to the client.',
    holds: 'sends no secret of the operator in errors, when the Hub refuses its token either',
  },
  'CVE-2025-11203': {
    product: 'LiteLLM (health)',
    published: '2025-10',
    happened: 'The health endpoint answered with the API keys of the backends.',
    holds: 'tells of no secret in health, readiness, metrics, lists and documents',
  },
} as const satisfies Incidents
