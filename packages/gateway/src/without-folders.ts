/** A piece of a path: what paths in sentences are made of. */
const name = String.raw`[^\s/\\'"\`,;:()<>|]+`

/** Begin with a slash and are no paths of this machine: addresses of the API, multiaddrs of peers. */
const noPaths = String.raw`(?:v\d|api|ip[46]|dns\w*|p2p|unix)/`

const posixPath = new RegExp(String.raw`(?<![\w/.~@-])/(?!${noPaths})(?:${name}/)+(${name})?`, 'g')
const windowsPath = new RegExp(String.raw`(?<!\w)(?:[A-Za-z]:|\\)[\\/](?:${name}[\\/])*(${name})?`, 'g')

/**
 * A sentence as a client may read it: of each absolute path of this machine only the last name. What folders a server has is
 * its operator's business, and the log has the whole path.
 */
export function withoutFolders(text: string): string {
  return text.replace(windowsPath, lastName).replace(posixPath, lastName)
}

const lastName = (path: string): string => path.split(/[\\/]/).findLast((part) => part !== '') ?? path
