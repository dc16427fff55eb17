import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { root } from './progress.mjs'

const stampFile = (name) => path.join(root, '.cache', 'setup', name)

/** Reports whether a step last finished with exactly these inputs. */
export async function isFresh(name, digest) {
  return (await readFile(stampFile(name), 'utf8').catch(() => '')) === digest
}

export async function markFresh(name, digest) {
  await mkdir(path.dirname(stampFile(name)), { recursive: true })
  await writeFile(stampFile(name), digest)
}

export const forget = (name) => rm(stampFile(name), { force: true })

/** Returns a digest of the contents of files. A missing file has its own digest. */
export async function digestOfContents(files, ...facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts))
  for (const file of files)
    hash.update(file).update(await readFile(path.join(root, file)).catch(() => '(missing)'))
  return hash.digest('hex')
}

/** Returns all files below a folder, the file itself if it is one, or none if it does not exist. */
async function filesBelow(place) {
  const absolute = path.join(root, place)
  const state = await stat(absolute).catch(() => undefined)
  if (!state?.isDirectory()) return state ? [absolute] : []
  const entries = await readdir(absolute, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

/** Returns a digest of the names, sizes and times of all files in these places, fast enough for every start. */
export async function digestOfTimes(places, ...facts) {
  const hash = createHash('sha256').update(JSON.stringify(facts))
  const files = (await Promise.all(places.map(filesBelow))).flat()
  const states = await Promise.all(files.map((file) => stat(file)))
  files.forEach((file, index) =>
    hash.update(`${path.relative(root, file)} ${states[index].size} ${states[index].mtimeMs}\n`),
  )
  return hash.digest('hex')
}
