import type { Incidents } from '../support/incident.ts'

/** Addresses, files and programs that a request names, and a server fetched, opened or started. */
export const referenceIncidents = {
  'CVE-2025-6242': {
    product: 'vLLM < 0.11.0',
    dated: '2025',
    happened: 'The server fetched image_url from inside its network (SSRF).',
    holds: 'fetches nothing that a message names',
  },
  'CVE-2026-24779': {
    product: 'vLLM < 0.14.1',
    dated: '2026',
    happened: 'A backslash in a URL made the check and the fetch see different hosts.',
    holds: 'fetches nothing either where a URL is written ambiguously',
  },
  'CVE-2026-31943': {
    product: 'LibreChat < 0.8.3',
    dated: '2026',
    happened: 'An IPv4 address within IPv6, in hexadecimal, passed the filter of private addresses.',
    holds: 'fetches nothing from addresses of the machine, however they are written',
  },
  'CVE-2026-5530': {
    product: 'Ollama',
    dated: '2026',
    happened: 'The pull of a model made the server ask any host of its network.',
    holds: 'downloads no model that a request names',
  },
  'CVE-2026-7482': {
    product: 'Ollama < 0.17.1',
    dated: '2026',
    happened: 'Three requests uploaded a model file with wrong sizes and got the memory of the server back.',
    holds: 'has no route that takes or sends model files',
  },
  'CVE-2026-22252': {
    product: 'LibreChat < 0.8.2',
    dated: '2026',
    happened: 'A request named the command of an MCP server, which was started.',
    holds: 'starts no process that a request describes',
  },
  'CVE-2025-65513': {
    product: 'fetch-mcp <= 1.0.2',
    dated: '2025',
    happened:
      'A tool that fetches pages was led past its check of private addresses, into the network behind it.',
    holds: 'fetches no page of a private network, in whatever form its address is written',
  },
  'CVE-2026-42271': {
    product: 'LiteLLM',
    dated: '2026',
    happened: 'Endpoints that test an MCP server ran the command in their body.',
    holds: 'has no route that runs commands',
  },
  'CVE-2025-3248': {
    product: 'Langflow < 1.3.0',
    dated: '2025',
    happened: 'A route that validates code executed it, without authentication.',
    holds: 'has no route that evaluates code',
  },
} as const satisfies Incidents
