import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Generates an Ed25519 key pair, for a node that keeps no identity. */
export const freshIdentity = (): Promise<PrivateKey> => generateKeyPair('Ed25519')

/**
 * Loads the key pair in the file `path`, which is created on first use (mode 600). The format is libp2p's PrivateKey
 * message, as in hivemind's identity files: each program can use the other's.
 */
export async function loadIdentity(path: string): Promise<PrivateKey> {
  const bytes = await readFile(path).catch(ifMissing)
  if (!bytes) return await createIdentity(path)
  try {
    return privateKeyFromProtobuf(bytes)
  } catch (cause) {
    const advice = 'Name another file, or remove this one: a new identity is then created.'
    throw new Error(`${path} does not hold a libp2p private key. ${advice}`, { cause })
  }
}

async function createIdentity(path: string): Promise<PrivateKey> {
  const key = await freshIdentity()
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(privateKeyToProtobuf(key))
  } finally {
    await file.close()
  }
  return key
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
