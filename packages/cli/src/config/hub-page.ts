/**
 * Returns the repository (`owner/repo`) whose page on the Hub this is; undefined if it is another page. Servers of strangers
 * register such pages: only plain names are taken, which are safe in a command line.
 */
export function repositoryOfPage(page: string | undefined): string | undefined {
  const { hostname, pathname } = URL.parse(page ?? '') ?? {}
  if (hostname !== 'huggingface.co') return undefined
  const name = pathname!.slice(1)
  return /^\w[\w.-]*\/\w[\w.-]*$/.test(name) ? name : undefined
}
