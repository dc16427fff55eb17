/** Where a value came from. Lines and columns start at 1. */
export type Origin =
  | { readonly kind: 'flag'; readonly name: string }
  | { readonly kind: 'environment'; readonly name: string }
  | { readonly kind: 'file'; readonly file: string; readonly line: number; readonly column: number }
  | { readonly kind: 'default' }

/** `petals-chat.yaml:3:9`, `--port`, `PETALS_CHAT_PORT` or `default`. */
export function formatOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
    case 'environment':
      return origin.name
    case 'file':
      return `${origin.file}:${origin.line}:${origin.column}`
    case 'default':
      return 'default'
  }
}

/** Names of keys and indexes of list entries, from the top of the file. */
export type KeyPath = readonly (string | number)[]

/** `models[1].generation.top_p`, for people. */
export function formatKeyPath(path: KeyPath): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`),
    '',
  )
}

/** One mistake: where it is, which key, what is wrong and what is allowed. */
export interface ConfigProblem {
  readonly origin: Origin
  readonly path: KeyPath
  readonly message: string
}

/** `petals-chat.yaml:3:9: server.port: …`: editors and terminals turn this form into a link. */
export function formatProblem({ origin, path, message }: ConfigProblem): string {
  const key = formatKeyPath(path)
  return `${formatOrigin(origin)}: ${key === '' ? '' : `${key}: `}${message}`
}

/** The configuration from flags, environment and file is invalid; `problems` has one element for each mistake. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`
    super(
      `The configuration has ${count}:\n${problems.map((problem) => `  ${formatProblem(problem)}`).join('\n')}`,
    )
    this.problems = problems
  }
}
