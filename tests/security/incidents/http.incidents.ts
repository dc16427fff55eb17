import type { Incidents } from '../support/incident.ts'

/** What Node, ws, Hono and other servers did with malformed, oversized and ambiguous messages. */
export const httpIncidents = {
  'CVE-2025-23167': {
    product: 'Node.js < 20.19.2',
    dated: '2025',
    happened:
      'The parser took CR LF CR X for the end of the headers: a second request could hide behind the first.',
    holds: 'refuses headers that end with a lone CR, and answers one request only',
  },
  'CVE-2024-27982': {
    product: 'Node.js < 20.12.1',
    dated: '2024',
    happened: 'A space before Content-Length hid the header from the proxy in front (request smuggling).',
    holds: 'refuses header names with spaces and lengths that contradict each other',
  },
  'CVE-2025-59139': {
    product: 'Hono < 4.9.7',
    dated: '2025-09',
    happened:
      'With Transfer-Encoding and Content-Length together the limit of the body was checked against the wrong one.',
    holds: 'refuses a request with both lengths',
  },
  'CVE-2026-44456': {
    product: 'Hono < 4.12.16',
    dated: '2026-04',
    happened: 'bodyLimit() did not bound a body without a declared length.',
    holds: 'counts a chunked body while it arrives, on every route',
  },
  'CVE-2024-12886': {
    product: 'Ollama 0.3.14',
    dated: '2024',
    happened: 'A compressed answer or body was decompressed without a bound until memory was full.',
    holds: 'stops decompressing at the limit of the body',
  },
  'CVE-2026-22036': {
    product: 'undici < 7.18.2',
    dated: '2026-01',
    happened: 'Content-Encoding could name any number of codings, each of which multiplied the work.',
    holds: 'refuses a chain of codings',
  },
  'CVE-2024-32652': {
    product: '@hono/node-server < 1.10.1',
    dated: '2024',
    happened: 'A Host header that is no part of a URL ended the process.',
    holds: 'answers hosts and targets that make no URL with 400, and stays up',
  },
  'CVE-2025-48956': {
    product: 'vLLM < 0.10.1.1',
    dated: '2025',
    happened: 'Headers had no limit of size: one request could fill the memory.',
    holds: 'refuses more than 16 KiB of headers with 431',
  },
  'CVE-2024-37890': {
    product: 'ws < 8.17.1',
    dated: '2024-06',
    happened: 'An upgrade with more headers than Node keeps ended the process.',
    holds: 'refuses an upgrade with 2,500 headers, and stays up',
  },
  'CVE-2026-48779': {
    product: 'ws < 8.21.0',
    dated: '2026-05',
    happened: 'Very many fragments of one byte took far more memory than the limit of a message.',
    holds: 'closes a WebSocket whose message comes in 20,000 fragments',
  },
  'CVE-2026-42786': {
    product: 'Bandit < 1.11.0',
    dated: '2026',
    happened: 'A fragmented WebSocket message that never ended was kept without a bound.',
    holds: 'counts all fragments of a message against its limit',
  },
  'CVE-2026-21710': {
    product: 'Node.js < 24.14.1',
    dated: '2026',
    happened: 'A header named __proto__ made headersDistinct throw where no program catches it.',
    holds: 'answers a request whose headers and trailers are named __proto__',
  },
  'CVE-2025-62727': {
    product: 'Starlette < 0.49.1',
    dated: '2025',
    happened: 'A Range header with very many ranges took quadratic time.',
    holds: 'sends a file once, however many ranges are asked for',
  },
  'GHSA-crvj-82cr-hjcx': {
    product: 'Hono < 4.13.5',
    dated: '2026-08',
    happened: 'Parameters were read behind the fragment of a URL, where a proxy or cache does not see any.',
    holds: 'takes no parameters from behind a #',
  },
  'CVE-2026-44457': {
    product: 'Hono < 4.12.18',
    dated: '2026-05',
    happened:
      'A cache kept answers although they depend on the Authorization header or the cookie of the caller.',
    holds: 'forbids caches to keep any response of an API, errors included',
  },
  'CVE-2026-31949': {
    product: 'LibreChat < 0.8.3',
    dated: '2026',
    happened: 'A request without the expected body threw outside the error handler and ended the process.',
    holds: 'answers every method and every kind of body on every route without a fault of its own',
  },
} as const satisfies Incidents
