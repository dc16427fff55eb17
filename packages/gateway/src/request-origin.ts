/** The headers by which a browser describes the page that sends a request. Other clients send none of them. */
export interface RequestOrigin {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly secFetchSite: string | undefined
  readonly referer?: string | undefined
  /** A proxy is in front of this server. */
  readonly isProxied: boolean
}

const PROXY_HEADERS = [
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'forwarded',
  'via',
]

/**
 * Reads what a browser says about the page from a request's headers. Browsers send no empty ones, so that a page can't have one
 * sent: a proxy or a program has emptied them, and they say as much as none. `Origin: null` is another matter: pages of no
 * origin send it, such as a sandboxed frame of any site.
 */
export function originOf(header: (name: string) => string | undefined): RequestOrigin {
  return {
    host: header('host'),
    origin: header('origin') || undefined,
    secFetchSite: header('sec-fetch-site') || undefined,
    referer: header('referer') || undefined,
    get isProxied() {
      return PROXY_HEADERS.some((name) => header(name) !== undefined)
    },
  }
}

/**
 * Reports whether a page of another origin sent the request. Only hosts are compared: behind a proxy that terminates TLS,
 * the page's scheme differs from ours; a page of the same host without TLS is what the browser calls another site. Browsers
 * send no Origin with images, links and GET forms, but they do send Sec-Fetch-Site; on plain http from another machine
 * neither, so that only the Referer shows the page.
 */
export function isCrossOrigin({ host, origin, secFetchSite, referer }: RequestOrigin): boolean {
  if (secFetchSite === 'cross-site' || secFetchSite === 'same-site') return true
  if (origin !== undefined) return !isSameHost(origin, host)
  return secFetchSite === undefined && isWebPage(referer) && !isSameHost(referer, host)
}

/** Reports whether a page of this server sent the request; false for clients that are not browsers. */
export const isSameOrigin = (request: RequestOrigin): boolean =>
  request.origin !== undefined && !isCrossOrigin(request)

const isWebPage = (referer: string | undefined): referer is string => /^https?:\/\//i.test(referer ?? '')

const isSameHost = (origin: string, host: string | undefined): boolean =>
  URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()
