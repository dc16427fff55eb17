/** A segment of a path inside a sentence. */
const name = String.raw`[^\s/\\'"\`,;:()<>|]+`

/** Texts after a slash that are not paths of this machine: paths of the API, multiaddrs of peers. */
const notPaths = String.raw`(?:v\d|api|ip[46]|dns\w*|p2p|unix)/`

const posixPath = new RegExp(String.raw`(?<![\w/.~@-])/(?!${notPaths})(?:${name}/)+(${name})?`, 'g')
const windowsPath = new RegExp(String.raw`(?<!\w)(?:[A-Za-z]:|\\)[\\/](?:${name}[\\/])*(${name})?`, 'g')

/**
 * Shortens each absolute path of this machine in a sentence to its last name. The folders of a server concern only its
 * operator, and the log has the whole path.
 */
export function withoutFolders(text: string): string {
  return text.replace(windowsPath, lastName).replace(posixPath, lastName)
}

const lastName = (path: string): string => path.split(/[\\/]/).findLast((part) => part !== '') ?? path
