import { chmod, mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportFailure } from '../failure.ts'
import { runProgram } from '../program.ts'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import { temporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
  await mkdir(path.join(folder.path, 'bin'))
  // The test machine may have no systemd that runs.
  const systemctl = await folder.write(
    'bin/systemctl',
    `#!/bin/sh\necho "$@" >>"${folder.path}/calls"\necho "state: $2"\n[ ! -e "${folder.path}/broken" ]\n`,
  )
  await chmod(systemctl, 0o755)
})
afterEach(() => folder[Symbol.asyncDispose]())

async function run(...args: readonly string[]) {
  const { terminal, stdout, stderr } = recordingTerminal()
  const environment = { HOME: folder.path, PATH: path.join(folder.path, 'bin') }
  const code = await runProgram(args, { terminal, environment, workingDirectory: folder.path }).catch(
    (error: unknown) => reportFailure(error, terminal, { withStack: false }),
  )
  return { code, stdout: stdout(), stderr: stderr() }
}

const unit = (): Promise<string> =>
  readFile(path.join(folder.path, '.config/systemd/user/petals-chat.service'), 'utf8')
const calls = (): Promise<string> => readFile(path.join(folder.path, 'calls'), 'utf8').catch(() => '')

describe.runIf(process.platform === 'linux')('petals-chat service', () => {
  it('installs, shows and removes the service', async () => {
    const file = await folder.write('petals-chat.yaml', 'server: { port: 5001 }\n')
    expect(await run('service', 'install')).toMatchObject({ code: 0 })
    expect(await unit()).toContain(`"--config" "${file}" "serve"`)
    expect(await calls()).toMatch(
      /daemon-reload\n.*enable petals-chat\.service\n.*restart petals-chat\.service\n$/,
    )
    expect(await run('service', 'status')).toMatchObject({ code: 0, stdout: 'state: status\n' })
    expect(await run('service', 'uninstall')).toMatchObject({ code: 0 })
    await expect(unit()).rejects.toThrow('ENOENT')
    expect(await run('service', 'status')).toMatchObject({ code: 1 })
  })

  it('only says what it would do with --dry-run', async () => {
    const { code, stdout } = await run('service', 'install', '--dry-run')
    expect([code, stdout]).toEqual([0, expect.stringContaining('[Service]')])
    expect(await calls()).toBe('')
  })

  it('runs a server of blocks as a service of its own, with the flags that follow', async () => {
    const words = ['contribute', './my-model', '--swarm', 'new', '--public-name', 'my PC']
    const { code, stdout } = await run('service', 'install', '--dry-run', '--', ...words)
    expect(code).toBe(0)
    expect(stdout).toContain('"contribute" "./my-model" "--swarm" "new" "--public-name" "my PC"')
    expect(stdout).toContain('restart petals-chat-contribute.service')
    expect(await run('service', 'status', 'contribute')).toMatchObject({ code: 1 })
    expect(await run('service', 'install', 'chat')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("'chat' can't be a service") as string,
    })
  })

  it('does not install a configuration that is wrong', async () => {
    await folder.write('petals-chat.yaml', 'server: { prot: 5001 }\n')
    expect(await run('service', 'install')).toMatchObject({ code: 2 })
    expect(await calls()).toBe('')
  })

  it('says what the system said when it fails', async () => {
    await folder.write('broken', '')
    expect(await run('service', 'install')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('daemon-reload` failed: state: daemon-reload') as string,
    })
  })
})
