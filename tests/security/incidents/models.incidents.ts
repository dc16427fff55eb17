import type { Incidents } from '../support/incident.ts'

/** Model files that ended the program, read its memory, or ran code. */
export const modelIncidents = {
  'CVE-2024-39720': {
    product: 'Ollama < 0.1.46',
    dated: '2024',
    happened: 'A file of four bytes, the magic number of GGUF, ended the server.',
    holds: 'refuses a file that is only a beginning',
  },
  'CVE-2025-0315': {
    product: 'Ollama <= 0.3.14',
    dated: '2025',
    happened: 'A length in a GGUF file made the server allocate all memory.',
    holds: 'allocates no more than a file has bytes',
  },
  'CVE-2025-0317': {
    product: 'Ollama <= 0.3.14',
    dated: '2025',
    happened: 'A zero in a GGUF file was divided by.',
    holds: 'refuses a model with zero heads or layers',
  },
  'CVE-2025-53630': {
    product: 'llama.cpp (GGUF)',
    dated: '2025',
    happened: 'The sizes of tensors were added without a check for overflow: reads and writes out of bounds.',
    holds: 'computes the sizes of tensors without overflow, and refuses those beyond the file',
  },
  'CVE-2026-27940': {
    product: 'llama.cpp (GGUF)',
    dated: '2026',
    happened: 'The mend of the overflow was bypassed by another sum of the same sizes.',
    holds: 'refuses offsets and counts whose sum or product is beyond the file',
  },
  'CVE-2025-49847': {
    product: 'llama.cpp (vocabulary)',
    dated: '2025',
    happened: 'The length of a token was taken for a signed number: a copy out of bounds.',
    holds: 'refuses a vocabulary whose texts are longer than the file',
  },
  'CVE-2024-34359': {
    product: 'llama-cpp-python < 0.2.72',
    dated: '2024',
    happened: 'The chat template of a GGUF file ran as an unrestricted Jinja program: code execution.',
    holds: 'gives templates no way to objects of the program',
  },
  'CVE-2026-5760': {
    product: 'SGLang (rerank)',
    dated: '2026',
    happened: 'The same two years later, in another server and another route.',
    holds: 'renders every template by the one interpreter that knows no attributes of Python or JavaScript',
  },
  'CVE-2025-66448': {
    product: 'vLLM < 0.11.1',
    dated: '2025',
    happened:
      'auto_map in config.json loaded and ran Python of another repository, although this was switched off.',
    holds: 'reads known fields of a model folder, and runs nothing that is in it',
  },
  'CVE-2025-32434': {
    product: 'PyTorch < 2.6.0',
    dated: '2025',
    happened: 'torch.load ran code from a file although weights_only was set.',
    holds: 'reads a pickle as data: it calls nothing that a file names',
  },
} as const satisfies Incidents
