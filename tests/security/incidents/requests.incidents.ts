import type { Incidents } from '../support/incident.ts'

/** Bodies of requests that ended, held up, or took over a server of models. */
export const requestIncidents = {
  'CVE-2026-34756': {
    product: 'vLLM < 0.19.0',
    dated: '2026',
    happened: 'An enormous n exhausted the memory before any model ran.',
    holds: 'refuses n beyond its bound, naming the field',
  },
  'CVE-2024-8939': {
    product: 'vLLM (ilab)',
    dated: '2024',
    happened: 'An enormous best_of kept the server busy for everyone.',
    holds: 'refuses best_of',
  },
  'CVE-2024-8768': {
    product: 'vLLM < 0.5.5',
    dated: '2024',
    happened: 'An empty prompt ended the server.',
    holds: 'answers or refuses empty prompts, and goes on',
  },
  'CVE-2025-48942': {
    product: 'vLLM < 0.9.0',
    dated: '2025',
    happened: 'An invalid JSON schema in a request ended the server.',
    holds: 'refuses a schema that is none with 400',
  },
  'CVE-2025-48943': {
    product: 'vLLM < 0.9.0',
    dated: '2025',
    happened: 'An invalid regular expression in a request ended the server.',
    holds: 'refuses a pattern that is none with 400',
  },
  'CVE-2025-48944': {
    product: 'vLLM < 0.9.0',
    dated: '2025',
    happened: 'An unexpected type or pattern in the schema of a tool ended the worker.',
    holds: 'refuses such a tool with 400',
  },
  'CVE-2025-57809': {
    product: 'XGrammar < 0.1.21',
    dated: '2025',
    happened: 'A grammar that refers to itself recursed until the stack was exhausted.',
    holds: 'bounds grammars and schemas that refer to themselves',
  },
  'CVE-2025-58446': {
    product: 'XGrammar 0.1.23',
    dated: '2025',
    happened: 'A grammar of many levels took minutes to compile.',
    holds: 'bounds the work of compiling a grammar, and answers others meanwhile',
  },
  'CVE-2025-62426': {
    product: 'vLLM < 0.11.1',
    dated: '2025',
    happened: 'chat_template_kwargs reached the function that renders, and could make it tokenize endlessly.',
    holds: 'passes chat_template_kwargs to the template as plain variables, never as options',
  },
  'CVE-2025-61620': {
    product: 'vLLM < 0.11.0',
    dated: '2025',
    happened: 'A chat template in the request used all CPU time and memory.',
    holds: 'takes no template from a request',
  },
  'CVE-2026-21869': {
    product: 'llama.cpp (server)',
    dated: '2026',
    happened: 'A negative n_discard led to writes out of bounds when the context was full.',
    holds: 'passes no number of a request to native code unchecked, and shifts no context',
  },
  'CVE-2026-22778': {
    product: 'vLLM < 0.14.1',
    dated: '2026',
    happened: 'The error for an invalid image held an address of the heap, which defeated ASLR.',
    holds: 'says nothing of addresses, files or code in errors',
  },
  'CVE-2025-55182': {
    product: 'React Server Components < 19.0.1',
    dated: '2025',
    happened: 'Keys such as __proto__ and constructor in a body led to code execution.',
    holds: 'gives keys of prototypes no effect, on this request or the next',
  },
  'GHSA-v8w9-8mx6-g223': {
    product: 'Hono < 4.12.7',
    dated: '2026-03',
    happened:
      'parseBody({ dot: true }) made a key __proto__ of a form field, which changes all objects where it is merged.',
    holds: 'reads form fields by their whole names',
  },
  'GHSA-g6gw-c38x-mqfc': {
    product: 'Hono < 4.13.5',
    dated: '2026-08',
    happened: 'A field name with very many dots became a tree that filled the memory.',
    holds: 'builds nothing from dots in field names',
  },
  'CVE-2024-8984': {
    product: 'LiteLLM 1.44.5',
    dated: '2024',
    happened: 'Characters after a multipart boundary were read one by one, with all other work waiting.',
    holds: 'reads a malformed multipart body at once, or refuses it',
  },
  'CVE-2025-46560': {
    product: 'vLLM < 0.8.5',
    dated: '2025',
    happened: 'Placeholders in a prompt were replaced in quadratic time.',
    holds: 'answers others while a prompt of special tokens is refused or tokenized',
  },
  'CVE-2025-27209': {
    product: 'Node.js < 24.4.1',
    dated: '2025',
    happened: 'The hash of strings was predictable, so a JSON body could collide all of its keys.',
    holds: 'bounds the number of values in a body',
  },
  'llama.cpp#24496': {
    product: 'llama.cpp, vLLM (#54947)',
    dated: '2026',
    happened: 'Generation went on after its client had gone, and kept the slot.',
    holds: 'frees the engine when a client goes in mid-answer',
  },
  'CVE-2026-29085': {
    product: 'Hono < 4.12.4',
    dated: '2026-03',
    happened: 'Line breaks in a value added fields and events to an event stream.',
    holds: 'writes no part of a request into an event stream unescaped',
  },
} as const satisfies Incidents
