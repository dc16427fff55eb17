import type { Incidents } from '../support/incident.ts'

/** Secrets of operators, texts of users and bytes of clients, in places where they do not belong. */
export const secretIncidents = {
  'CVE-2024-9606': {
    product: 'LiteLLM < 1.44.12',
    dated: '2024',
    happened: 'The log masked only the first characters of a key, and showed the rest.',
    holds: 'logs no credential, no prompt and no answer, of requests that succeed and that fail',
  },
  'CVE-2025-0330': {
    product: 'LiteLLM 1.52.1',
    dated: '2025',
    happened: 'An error while settings were read sent keys of the operator to the client.',
    holds: 'sends no secret of the operator in errors, when the Hub refuses its token either',
  },
  'CVE-2025-11203': {
    product: 'LiteLLM (health)',
    dated: '2025',
    happened: 'The health endpoint answered with the API keys of the backends.',
    holds: 'tells of no secret in health, readiness, metrics, lists and documents',
  },
  'CVE-2025-25184': {
    product: 'Rack < 2.2.11',
    dated: '2025',
    happened: 'Line ends in the name of a user wrote lines of their own into the log.',
    holds: 'writes one record for each event into the log, whatever clients send',
  },
  'CVE-2025-27111': {
    product: 'Rack < 2.2.12',
    dated: '2025',
    happened: 'Escape sequences in a header reached the terminal of the person who reads the log.',
    holds: 'writes no control character of a client to a terminal',
  },
} as const satisfies Incidents
