import type { Incidents } from '../support/incident.ts'

/** Requests of foreign pages, and Host headers that lie. */
export const hostIncidents = {
  'CVE-2024-28224': {
    product: 'Ollama < 0.1.29',
    dated: '2024',
    happened:
      'A foreign page pointed its own name at the loopback address and used the whole API (DNS rebinding).',
    holds: 'refuses every route under a foreign Host',
  },
  'CVE-2025-66414': {
    product: 'MCP TypeScript SDK < 1.24.0',
    dated: '2025-12',
    happened: 'Protection from DNS rebinding existed and was off by default, for event streams too.',
    holds: 'checks the Host of streams and WebSockets without any configuration',
  },
  'CVE-2026-49468': {
    product: 'LiteLLM < 1.84.0',
    dated: '2026',
    happened:
      'The access check read the path from a URL that was built with the Host header, the router the request line.',
    holds: 'refuses a Host that holds a path, a query or a fragment, and routes by the request line alone',
  },
  'CVE-2026-48710': {
    product: 'Starlette < 1.0.1',
    dated: '2026',
    happened: 'An unchecked Host header became part of request.url, on which programs base their decisions.',
    holds: 'answers no request whose Host is not a name with a port',
  },
  'CVE-2025-34291': {
    product: 'Langflow <= 1.6.9',
    dated: '2025',
    happened:
      'Every origin was allowed with credentials, so a visited page took over the account and the server.',
    holds: 'refuses requests of foreign origins, and names none in Access-Control-Allow-Origin',
  },
  'CVE-2025-49596': {
    product: 'MCP Inspector < 0.14.1',
    dated: '2025',
    happened: 'Public pages reached a service on loopback through the address 0.0.0.0 and started processes.',
    holds: 'refuses a foreign page also when it asks for 0.0.0.0',
  },
  'GHSA-67mh-4wv8-2f99': {
    product: 'esbuild <= 0.24.2',
    dated: '2025-02',
    happened: 'The development server let every site read all of its responses.',
    holds: 'lets no other site read a response, the page and its files included',
  },
  'CVE-2025-24964': {
    product: 'Vitest < 3.0.5',
    dated: '2025-02',
    happened:
      'The WebSocket of the API server checked no Origin: a visited page ran code (cross-site WebSocket hijacking).',
    holds: 'refuses a WebSocket of a foreign page before the upgrade',
  },
  'CVE-2024-43787': {
    product: 'Hono < 4.5.8',
    dated: '2024',
    happened: 'The CSRF check compared the content type in lower case only.',
    holds: 'refuses a form of a foreign page, in whatever case its content type is written',
  },
  'CVE-2024-48913': {
    product: 'Hono < 4.6.5',
    dated: '2024',
    happened: 'A request without a content type passed the CSRF check.',
    holds: 'refuses a foreign page also without a content type',
  },
  'CVE-2025-29927': {
    product: 'Next.js < 15.2.3',
    dated: '2025',
    happened: 'A header meant for internal use, x-middleware-subrequest, skipped all middleware.',
    holds: 'lets no header of a client switch a check off',
  },
  'GHSA-xh87-mx6m-69f3': {
    product: 'Hono < 4.12.2',
    dated: '2026-02',
    happened: 'A forwarded address that any client can send was taken for the address of the client.',
    holds: 'takes neither host nor page from X-Forwarded headers of a client',
  },
  'CVE-2025-23042': {
    product: 'Gradio < 5.11.0',
    dated: '2025',
    happened: 'A list of forbidden paths was compared with their case, the file system without it.',
    holds: 'serves no API under a path in another case, and so needs no check there',
  },
  'CVE-2025-58362': {
    product: 'Hono < 4.9.6',
    dated: '2025-09',
    happened:
      'A hand-written reader of URLs found another path in an unusual request target than the proxy before it.',
    holds: 'reads unusual request targets as the checks do',
  },
} as const satisfies Incidents
