/** What clients ask a server for: the columns of the table in `docs/clients.md`. */
export const calls = {
  chat: { title: 'chat', meaning: 'answers a dialogue' },
  stream: { title: 'stream', meaning: 'the same, piece by piece' },
  tools: { title: 'tools', meaning: 'calls a tool, and answers with its result' },
  form: { title: 'form', meaning: 'answers in the form of a schema' },
  thoughts: { title: 'thoughts', meaning: 'tells thoughts from the answer' },
  text: { title: 'text', meaning: 'continues a text' },
  scores: { title: 'scores', meaning: 'gives log probabilities' },
  embeddings: { title: 'embed', meaning: 'embeds texts' },
  models: { title: 'models', meaning: 'lists and describes models' },
  tokens: { title: 'tokens', meaning: 'counts or makes tokens' },
  kept: { title: 'kept', meaning: 'goes on from what the server keeps: a response, a session, a context' },
  leaves: { title: 'leaves', meaning: 'goes away, and the model stops' },
  errors: { title: 'errors', meaning: 'raises its own errors, with the words of the server' },
} as const

/** The name of a call. */
export type Call = keyof typeof calls
