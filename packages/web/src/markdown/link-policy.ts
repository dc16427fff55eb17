/** Only these leave the page: no `javascript:`, `data:`, `blob:` or unknown scheme ever becomes a link. */
const allowed: ReadonlySet<string> = new Set(['http:', 'https:', 'mailto:'])

/** The address behind a link of model text, if it may be one: absolute, with a known scheme. */
export function safeLink(address: string | undefined): URL | undefined {
  if (address === undefined || !URL.canParse(address)) return undefined
  const url = new URL(address)
  return allowed.has(url.protocol) ? url : undefined
}

/** Where a link really leads, for people: the host in ASCII (so that look-alike letters show), or the mail address. */
export function realHost(url: URL): string {
  return url.protocol === 'mailto:' ? url.pathname : url.host
}
