/** What goes wrong with one answer. */
export interface Fault {
  /** This status instead of the answer. */
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** This body instead of the content, of the same length where shorter than it. */
  readonly body?: string | undefined
  /** The connection breaks after so many bytes of the body. */
  readonly cutAfterBytes?: number | undefined
  /** No more comes after so many bytes of the body; 0: not even the headers. */
  readonly hangAfterBytes?: number | undefined
  /** About so many bytes a second. */
  readonly bytesPerSecond?: number | undefined
  /** One byte of the content is wrong. */
  readonly corrupt?: boolean | undefined
  /** `Range` is not understood: the whole file comes. */
  readonly ignoreRange?: boolean | undefined
}

export interface Injection extends Fault {
  /** Which requests: of the API, of file addresses on the Hub, of the storage. */
  readonly on: 'api' | 'resolve' | 'cdn'
  /** How many requests. Default 1. */
  readonly times?: number | undefined
  /** Only of this method. */
  readonly method?: 'GET' | 'HEAD' | undefined
  /** Only of paths that fit. */
  readonly path?: RegExp | undefined
}

interface Arrived {
  readonly host: 'hub' | 'cdn'
  readonly method: string
  readonly path: string
}

/** Takes the next fault that is meant for a request. */
export function faultFor(
  injections: { -readonly [Key in keyof Injection]: Injection[Key] }[],
  { host, method, path }: Arrived,
): Fault | undefined {
  const target = host === 'cdn' ? 'cdn' : path.startsWith('/api/models') ? 'api' : 'resolve'
  const injection = injections.find(
    ({ on, times = 1, ...only }) =>
      on === target && times > 0 && (only.method ?? method) === method && (only.path?.test(path) ?? true),
  )
  if (injection !== undefined) injection.times = (injection.times ?? 1) - 1
  return injection
}
