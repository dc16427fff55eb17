/** The only schemes of links: `javascript:`, `data:`, `blob:` and unknown schemes never become links. */
const allowed: ReadonlySet<string> = new Set(['http:', 'https:', 'mailto:'])

/** Returns the address of a link in model text if it is allowed: absolute, with a known scheme. */
export function safeLink(address: string | undefined): URL | undefined {
  if (address === undefined || !URL.canParse(address)) return undefined
  const url = new URL(address)
  return allowed.has(url.protocol) ? url : undefined
}

/**
 * Returns the real destination of a link for display: the host in ASCII (which exposes look-alike letters), or the mail
 * address.
 */
export function realHost(url: URL): string {
  return url.protocol === 'mailto:' ? url.pathname : url.host
}
