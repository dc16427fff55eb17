// Which Node runs everything after the set-up. Runs on Node 18.
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { SetupError, root, run } from './progress.mjs'

const releases = JSON.parse(await readFile(path.join(root, 'packages/cli/node-releases.json'), 'utf8'))

const numbers = (version) => version.replace(/^v/, '').split('.').map(Number)

/** Compares versions; negative if `a` is older. */
export function compareVersions(a, b) {
  const [left, right] = [numbers(a), numbers(b)]
  const index = right.findIndex((part, at) => part !== left[at])
  return index < 0 ? 0 : left[index] - right[index]
}

/** Reports whether a version has the security fixes that are known (packages/cli/node-releases.json). */
export function isSafe(version) {
  const line = releases.lines[numbers(version)[0]]
  return line !== undefined && compareVersions(version, line.fixed) >= 0
}

/**
 * Chooses one of `{ version, file }`: of those that are new enough, a safe one before one that lacks security fixes, then
 * the first. npm's package comes first, so that all machines run the same version wherever that is safe. On a platform
 * for which npm has only an old one, the machine's own wins if it is safe.
 */
export function chooseNode(candidates) {
  const usable = candidates.filter(({ version }) => compareVersions(version, releases.oldest) >= 0)
  return usable.find(({ version }) => isSafe(version)) ?? newest(usable)
}

const newest = (candidates) =>
  candidates.reduce(
    (best, each) => (best === undefined || compareVersions(each.version, best.version) > 0 ? each : best),
    undefined,
  )

/** Returns the path of the Node that runs everything after the set-up. */
export async function nodeExecutable() {
  const own = { version: process.versions.node, file: process.execPath }
  const chosen = chooseNode([...(await packagedNodes()), own])
  if (chosen !== undefined) return chosen.file
  throw new SetupError(
    `Node ${own.version} is too old, and npm has no package of a newer one for ${process.platform} ${process.arch}. ` +
      `Install Node ${releases.oldest} or newer, then try again.`,
  )
}

/** The Node that npm installed for this platform, if it has one. */
async function packagedNodes() {
  const modules = path.join(root, 'node_modules')
  const names = (await readdir(modules).catch(() => [])).filter((name) =>
    /^node-(bin-)?(linux|darwin|win)-/.test(name),
  )
  const program = process.platform === 'win32' ? 'node.exe' : 'node'
  const found = []
  for (const file of names.map((name) => path.join(modules, name, 'bin', program))) {
    const { code, output } = await run(file, ['--version'], { allowFailure: true })
    if (code === 0) found.push({ version: output.trim().replace(/^v/, ''), file })
  }
  return found
}
