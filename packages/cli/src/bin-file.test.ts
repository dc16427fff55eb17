import { execFile } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let folder: string
const at = (...parts: readonly string[]): string => path.join(folder, 'packages', ...parts)

async function put(file: string, text: string, changedAt = 1000): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, text)
  await utimes(file, changedAt, changedAt)
}

/** Runs the command of a clone, and returns which of its two forms ran. */
async function whichRuns(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [at('cli', 'bin', 'petals-chat.mjs')])
  return stdout.trim()
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-bin-'))
  await put(path.join(folder, 'package.json'), '{ "type": "module" }')
  await mkdir(at('cli', 'bin'), { recursive: true })
  const source = fileURLToPath(new URL('../bin/petals-chat.mjs', import.meta.url))
  await copyFile(source, at('cli', 'bin', 'petals-chat.mjs'))
  await put(at('cli', 'dist', 'bin.js'), 'console.log("packages")')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('the command', () => {
  it('runs the packages while there is no bundle', async () => {
    expect(await whichRuns()).toBe('packages')
  })

  it('runs the bundle of a published package, which has no records of a build', async () => {
    await put(at('cli', 'bundle', 'bin.js'), 'console.log("bundle")')
    expect(await whichRuns()).toBe('bundle')
  })

  it('runs the bundle of a clone that is not older than any package, else the packages', async () => {
    await put(at('cli', 'dist', '.tsbuildinfo'), '', 999)
    await put(at('engine', 'dist', '.tsbuildinfo'), '', 1000)
    expect(await whichRuns()).toBe('bundle')
    await put(at('engine', 'dist', '.tsbuildinfo'), '', 1001)
    expect(await whichRuns()).toBe('packages')
  })
})
