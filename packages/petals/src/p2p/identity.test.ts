import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { freshIdentity, loadIdentity } from './identity.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petals-identity-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('a fresh identity differs each time', async () => {
  const [first, second] = [await freshIdentity(), await freshIdentity()]
  expect(first.equals(second)).toBe(false)
})

it("a kept identity is created once, readable only by its owner, in hivemind's format", async () => {
  const path = join(folder, 'new', 'identity')
  const made = await loadIdentity(path)
  expect(made.equals(await loadIdentity(path))).toBe(true)
  expect(privateKeyFromProtobuf(await readFile(path)).equals(made)).toBe(true)
  if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
})

it('a file with other content is named in the error and not changed', async () => {
  const path = join(folder, 'identity')
  await writeFile(path, 'not a key')
  await expect(loadIdentity(path)).rejects.toThrow(
    /identity does not hold a libp2p private key.*remove this one/,
  )
  expect(await readFile(path, 'utf8')).toBe('not a key')
})
