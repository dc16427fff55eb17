import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The checkout's cache folder, which contains everything that is made here. */
export const cacheFolder = path.join(root, '.cache')
export const modelsFolder = path.join(cacheFolder, 'swarm', 'models')

/** Made by `node scripts/setup.mjs swarm`. */
export const python = path.join(cacheFolder, 'python', 'swarm', 'bin', 'python')
export const script = (name: string): string => path.join(root, 'swarm', 'python', name)
export const rootFolder = root
