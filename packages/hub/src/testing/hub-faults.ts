/** The fault of one response. */
export interface Fault {
  /** Sends this status instead of the response. */
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Sends this body instead of the content. */
  readonly body?: string | undefined
  /** Cuts the connection after this many bytes of the body. */
  readonly cutAfterBytes?: number | undefined
  /** Sends nothing more after this many bytes of the body; 0: not even the headers. */
  readonly hangAfterBytes?: number | undefined
  /** Limits the speed to about this many bytes per second. */
  readonly bytesPerSecond?: number | undefined
  /** Changes one byte of the content. */
  readonly corrupt?: boolean | undefined
  /** Ignores `Range`: sends the whole file. */
  readonly ignoreRange?: boolean | undefined
}

export interface Injection extends Fault {
  /** Affected requests: to the API, to file addresses on the Hub, or to the storage. */
  readonly on: 'api' | 'resolve' | 'cdn'
  /** Number of affected requests. Default 1. */
  readonly times?: number | undefined
  /** Only requests with this method. */
  readonly method?: 'GET' | 'HEAD' | undefined
  /** Only requests with a matching path. */
  readonly path?: RegExp | undefined
}

interface Arrived {
  readonly host: 'hub' | 'cdn'
  readonly method: string
  readonly path: string
}

/** Returns and uses up the next fault for a request. */
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
