import type { Incidents } from '../support/incident.ts'

/** Keys that opened more than they should, or went on to open it. */
export const keyIncidents = {
  'Ollama exposed': {
    product: 'Ollama (SentinelOne and Censys)',
    dated: '2026',
    happened: '175,108 servers answered everyone on the internet, since a public address needed no key.',
    holds: 'asks for a key on a public address without being told to',
  },
  'CVE-2026-45339': {
    product: 'Open WebUI < 0.9.0',
    dated: '2026',
    happened: 'What a key may call was checked for Authorization only, not for x-api-key.',
    holds: 'checks a key alike in whichever header it comes',
  },
  'CVE-2026-44553': {
    product: 'Open WebUI < 0.9.0',
    dated: '2026',
    happened: 'An open socket kept the rights that its user no longer had.',
    holds: 'closes the sockets of a key that is revoked',
  },
  'CVE-2026-35030': {
    product: 'LiteLLM < 1.83.0',
    dated: '2026',
    happened: 'Tokens were told apart by their first 20 characters, which all of one issuer share.',
    holds: 'tells keys apart by every character, a known one before or not',
  },
  'CVE-2026-42208': {
    product: 'LiteLLM < 1.83.7',
    dated: '2026',
    happened: 'The key of a request became part of a SQL statement.',
    holds: 'takes quotes and comments in a key for what they are: a wrong key',
  },
  'LiteLLM#8029': {
    product: 'LiteLLM 1.59',
    dated: '2025',
    happened: 'A user could make a key for models that the user may not use.',
    holds: 'makes no key that may more than its maker',
  },
  'LiteLLM#7336': {
    product: 'LiteLLM 1.55',
    dated: '2024',
    happened: 'A user could make and change keys in the names of others.',
    holds: 'shows and changes only the keys that its key made',
  },
  'CVE-2025-61928': {
    product: 'better-auth < 1.3.26',
    dated: '2025-10',
    happened: 'A request without a session made API keys for any user that its body named.',
    holds: 'makes no key without a key, whatever the body says',
  },
} as const satisfies Incidents
