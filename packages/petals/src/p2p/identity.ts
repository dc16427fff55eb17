import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A key pair that is used until the process ends. */
export const freshIdentity = (): Promise<PrivateKey> => generateKeyPair('Ed25519')

/**
 * The key pair kept in `path`, made on first use (mode 600). The format is libp2p's PrivateKey message, the same as
 * hivemind's identity files, so that either can be used by the other.
 */
export async function loadIdentity(path: string): Promise<PrivateKey> {
  const bytes = await readFile(path).catch(ifMissing)
  if (!bytes) return await createIdentity(path)
  try {
    return privateKeyFromProtobuf(bytes)
  } catch (cause) {
    const advice = 'Name another file, or remove this one to have a new identity made.'
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
