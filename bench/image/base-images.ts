import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import type { Podman } from './podman.ts'

/** Removed from Debian's official slim image too. */
const left = ['man', 'doc', 'info', 'locale', 'lintian', 'linda', 'groff']

/**
 * Makes the two images that the Dockerfile begins with, under their names, from Debian's packages and this repository's Node:
 * no registry of images is asked. Debian's own is smaller (75 MB unpacked).
 */
export function makeBaseImages(podman: Podman, root: string, folder: string): void {
  const dockerfile = readFileSync(path.join(root, 'Dockerfile'), 'utf8')
  const [node, debian] = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, name]) => name!) as [
    string,
    string,
  ]
  makeDebian(podman, debian, path.join(folder, 'debian.tar'))
  makeNode(podman, { node, debian, root, folder: path.join(folder, 'node') })
}

const official = (name: string): string => `docker.io/library/${name}`

function makeDebian(podman: Podman, name: string, archive: string): void {
  const [, release] = /:(\w+)-slim$/.exec(name)!
  const excluded = left.map((part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`)
  if (!existsSync(archive)) {
    const sources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'].find((file) =>
      existsSync(file),
    )!
    const args = ['--variant=minbase', '--quiet', ...excluded, release!, archive, sources]
    const { status } = spawnSync('mmdebstrap', args, { stdio: ['ignore', 2, 2] })
    if (status !== 0) throw new Error('mmdebstrap failed (apt-get install mmdebstrap).')
  }
  podman.read('import', archive, official(name))
}

interface NodeImage {
  readonly node: string
  readonly debian: string
  readonly root: string
  readonly folder: string
}

/** With npm, and with the certificates of a machine whose registry has its own. */
function makeNode(podman: Podman, { node, debian, root, folder }: NodeImage): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  copyFileSync(path.join(root, `node_modules/node-linux-${process.arch}/bin/node`), path.join(folder, 'node'))
  cpSync(npmFolder(), path.join(folder, 'npm'), { recursive: true, verbatimSymlinks: true })
  const certificates = process.env['NODE_EXTRA_CA_CERTS']
  copyFileSync(certificates ?? '/dev/null', path.join(folder, 'certificates.crt'))
  const lines = [
    `FROM ${debian}`,
    'COPY node /usr/local/bin/node',
    'COPY npm /usr/local/lib/node_modules/npm',
    'COPY certificates.crt /usr/local/share/certificates.crt',
    'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
    ...(certificates === undefined ? [] : ['ENV NODE_EXTRA_CA_CERTS=/usr/local/share/certificates.crt']),
  ]
  writeFileSync(path.join(folder, 'Dockerfile'), lines.join('\n'))
  podman.show('build', '--quiet', '--pull=never', '--isolation=chroot', '-t', official(node), folder)
}

/** The folder of the npm on PATH: its program is `bin/npm-cli.js` there. */
function npmFolder(): string {
  const program = spawnSync('which', ['npm'], { encoding: 'utf8' }).stdout.trim()
  return path.dirname(path.dirname(realpathSync(program)))
}
