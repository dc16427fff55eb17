// npm run bench:image [run] (as root, on Debian: apt-get install podman runc mmdebstrap); with `run`, the image of the last time
//
// Builds the image of the Dockerfile, its base images replaced by equal ones made of Debian's packages, measures it, and runs
// it as deploy/compose.yaml does: its own user, a read-only root, no capabilities, its health check, a key and an answer.
// Everything is in .cache/image, about 1 GB; nothing is asked of a registry of images.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultModelPath, testCacheHome } from '../tests/support/model.ts'
import { makeBaseImages } from './image/base-images.ts'
import { checkContainer } from './image/check-container.ts'
import { Container } from './image/container.ts'
import { Podman } from './image/podman.ts'

/** What issue and page promise, with Debian's own base image. */
const MAX_MB = 400
/** Debian's official bookworm-slim, unpacked. */
const OFFICIAL_BASE_MB = 75

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = path.join(root, '.cache/image')
const image = 'petals-chat'
mkdirSync(folder, { recursive: true })
const podman = new Podman(folder)

if (process.argv[2] !== 'run') {
  makeBaseImages(podman, root, folder)
  podman.show('build', '--pull=never', '--isolation=chroot', '--format=docker', '-t', image, root)
}
const failures = [...measure(), ...(await operate())]
for (const failure of failures) console.error(`FAILED: ${failure}`)
process.exitCode = failures.length === 0 ? 0 : 1

function measure(): readonly string[] {
  const sizeOf = (name: string) =>
    Number(podman.read('image', 'inspect', '--format', '{{.Size}}', name)) / 1e6
  const base = sizeOf('docker.io/library/debian:bookworm-slim')
  const own = sizeOf(image) - base
  const total = own + OFFICIAL_BASE_MB
  console.log(`The image adds ${own.toFixed(0)} MB to its base.`)
  console.log(
    `Base here: ${base.toFixed(0)} MB, so ${(base + own).toFixed(0)} MB; official base: ${total.toFixed(0)} MB.`,
  )
  return total <= MAX_MB ? [] : [`The image has ${total.toFixed(0)} MB; ${MAX_MB} are promised.`]
}

async function operate(): Promise<readonly string[]> {
  const volumes = mkdtempSync(path.join(folder, 'volumes-'))
  const [cache, state] = [path.join(volumes, 'cache'), path.join(volumes, 'state')]
  await defaultModelPath()
  cpSync(testCacheHome, cache, { recursive: true, verbatimSymlinks: true })
  mkdirSync(state)
  spawnSync('chown', ['-R', '10001:10001', volumes])
  try {
    using container = new Container(podman, image, { cache, state })
    const health = JSON.parse(
      podman.read('image', 'inspect', '--format', '{{json .HealthCheck.Test}}', image),
    ) as readonly string[]
    return await checkContainer(container, health.slice(1))
  } finally {
    rmSync(volumes, { recursive: true })
  }
}
