import { chmod, readFile } from 'node:fs/promises'
import { delimiter } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { temporaryFolder } from '../testing/temporary-folder.ts'
import { openBrowser } from './open-browser.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('openBrowser', () => {
  it('passes the URL as one argument, whatever it contains', async () => {
    await using folder = await temporaryFolder()
    const program = await folder.write(
      'xdg-open',
      `#!/bin/sh\nprintf '%s\\n' "$#" "$1" > "${folder.path}/called"\n`,
    )
    await chmod(program, 0o755)
    vi.stubEnv('PATH', `${folder.path}${delimiter}${process.env.PATH}`)
    const url = 'http://127.0.0.1:5000/?a=1&b=$(touch x); echo "y"'
    expect(await openBrowser(url, 'linux')).toBe(true)
    await expect.poll(() => readFile(`${folder.path}/called`, 'utf8').catch(() => '')).toBe(`1\n${url}\n`)
  })

  it('reports that there is no such program', async () => {
    vi.stubEnv('PATH', '/nowhere')
    expect(await openBrowser('http://127.0.0.1:5000', 'linux')).toBe(false)
  })
})
