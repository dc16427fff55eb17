import { spawnSync } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const scripts = fileURLToPath(new URL('..', import.meta.url))
const load = (name: string): Promise<unknown> => import(new URL(name, import.meta.url).href)

interface Pip {
  readonly onOutput: (text: string) => void
  readonly detail: () => string
  readonly stop: () => void
}
const { watchPip } = (await load('./pip.mjs')) as {
  watchPip: (folders: { downloads: string; environment: string; expectedBytes: number }) => Pip
}
const root = fileURLToPath(new URL('../..', import.meta.url))
const facts = 'packages/contribute/python/environment.json'
const nodeReleases = 'packages/cli/node-releases.json'

/** A checkout with the real scripts, in which npm, Python and the compilers only record their calls. */
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-setup-'))
  await cp(scripts, path.join(folder, 'scripts'), { recursive: true })
  for (const file of [facts, nodeReleases]) await cp(path.join(root, file), path.join(folder, file))
  for (const [name, text] of Object.entries({
    'package.json': '{ "type": "module" }',
    'package-lock.json': '{ "packages": {} }',
    'npm.cjs': `const fs = require('fs')
      fs.appendFileSync('calls', 'npm ' + process.argv.slice(2).join(' ') + '\\n')
      for (const [file, text] of [
        ['typescript/bin/tsc', ''],
        ['vite/bin/vite.js', ''],
        ['rolldown/package.json', '{ "exports": "./index.mjs" }'],
        ['rolldown/index.mjs', 'export const rolldown = async () => ({ write: async () => ({ output: [] }) })'],
      ]) {
        fs.mkdirSync(require('path').dirname('node_modules/' + file), { recursive: true })
        fs.writeFileSync('node_modules/' + file, text)
      }`,
    'bin/python3.11': `#!/bin/sh
      echo "python $*" >>"${folder}/calls"
      if [ "$1" = -c ]; then echo 3.11; fi
      if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi`,
    'packages/web/package.json': '{}',
    // The tests choose the free disk space.
    'disk.cjs': `require('fs/promises').statfs = async () => ({ bavail: Number(process.env.FREE_BYTES), bsize: 1 })`,
  })) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true })
    await writeFile(path.join(folder, name), text)
  }
  await chmod(path.join(folder, 'bin/python3.11'), 0o755)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Runs with-setup.mjs as npm does for a script of package.json. */
async function run(
  script: string,
  mode: string,
  { python = true, freeBytes = 100e9, args = ['-e', 'console.log("started")'] } = {},
) {
  const found = spawnSync('which', ['sh', 'mkdir', 'cp', 'which'], { encoding: 'utf8' })
    .stdout.trim()
    .split('\n')
  const tools = path.join(folder, 'tools')
  await mkdir(tools, { recursive: true })
  for (const file of found) await cp(file, path.join(tools, path.basename(file))).catch(() => {})
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(folder, 'scripts', 'with-setup.mjs'), mode, ...args],
    {
      cwd: folder,
      encoding: 'utf8',
      env: {
        PATH: [tools, ...(python ? [path.join(folder, 'bin')] : [])].join(path.delimiter),
        npm_execpath: path.join(folder, 'npm.cjs'),
        npm_lifecycle_event: script,
        NODE_OPTIONS: `--require ${path.join(folder, 'disk.cjs')}`,
        FREE_BYTES: String(freeBytes),
      },
    },
  )
  const calls = await readFile(path.join(folder, 'calls'), 'utf8').catch(() => '')
  return { status, output: stdout + stderr, calls }
}

describe('the set-up', () => {
  it('of npm start installs only npm packages, without audit and funding messages', async () => {
    const { status, output, calls } = await run('start', 'run')
    expect(output).toContain('started')
    expect([status, calls]).toEqual([
      0,
      expect.stringMatching(/^npm ci .*--no-audit --no-fund.*\n$/) as string,
    ])
  })

  it('of npm run swarm makes only the environment of the Petals servers, and prints its size beforehand', async () => {
    const { status, output, calls } = await run('swarm', 'swarm')
    expect([status, output]).toEqual([0, expect.stringContaining('started') as string])
    expect(output).toMatch(/needs [\d.]+ GB of disk in \.cache\/python\/swarm\. Downloads about .* minutes/)
    expect(output.indexOf('GB of disk in')).toBeLessThan(output.indexOf('Installing npm packages'))
    expect(calls).toContain('-r swarm/requirements.txt')
    expect(calls).not.toMatch(/clients|tests\/e2e|apt-get|chromium/i)
    const again = await run('swarm', 'swarm')
    expect([again.calls, again.output]).toEqual([
      calls,
      expect.not.stringContaining('Petals servers') as string,
    ])
  })

  it('names the command to repeat if Python is missing, before it downloads anything', async () => {
    const { status, output, calls } = await run('swarm', 'swarm', { python: false })
    expect([status, calls]).toEqual([1, ''])
    expect(output).toMatch(/need Python 3\.8 to 3\.12.*then run npm run swarm again/s)
    expect(output).not.toContain('npm test')
    expect((await run('test', 'test', { python: false })).output).toContain('then run npm test again')
  })

  it('reports how much disk space is needed and free, before it downloads anything', async () => {
    const { status, output, calls } = await run('swarm', 'swarm', { freeBytes: 1e9 })
    expect([status, calls.includes('npm')]).toEqual([1, false])
    expect(output).toMatch(
      /needs [\d.]+ GB of free disk space, but only 1\.0 GB are free at .*then run npm run swarm again/s,
    )
  })

  it('forbids telemetry to the programs that it starts', async () => {
    const { output } = await run('start', 'run', { args: ['-p', 'JSON.stringify(process.env)'] })
    expect(JSON.parse(/\{.*\}/.exec(output)![0])).toMatchObject({
      ORT_DISABLE_TELEMETRY: '1',
      DO_NOT_TRACK: '1',
      npm_config_update_notifier: 'false',
    })
  })

  it('exits with the exit code of the command', async () => {
    expect((await run('start', 'run', { args: ['-e', 'process.exit(7)'] })).status).toBe(7)
  })
})

describe('the progress of pip', () => {
  it('names the package, the downloaded bytes and the installed bytes', async () => {
    const [downloads, environment] = [path.join(folder, 'downloads'), path.join(folder, 'environment')]
    await mkdir(path.join(downloads, 'pip-unpack-1'), { recursive: true })
    await mkdir(path.join(environment, 'lib'), { recursive: true })
    const pip = watchPip({ downloads, environment, expectedBytes: 5.6e9 })
    pip.onOutput('Collecting torch==2.3.1\n')
    expect(pip.detail()).toBe('resolving torch, 0 MB downloaded,')
    pip.onOutput('  Downloading torch-2.3.1-cp311-cp311-manylinux1_x86_64.whl.metadata (26 kB)\n')
    pip.onOutput('  Downloading torch-2.3.1-cp311-cp311-manylinux1_x86_64.whl (779.1 MB)\n')
    await writeFile(path.join(downloads, 'pip-unpack-1', 'torch.whl'), Buffer.alloc(3e6))
    await expect.poll(pip.detail).toBe('downloading torch (779.1 MB), 3 MB downloaded,')
    pip.onOutput('Installing collected packages: mpmath, torch\n')
    await writeFile(path.join(environment, 'lib', 'torch.so'), Buffer.alloc(7e6))
    await expect.poll(pip.detail).toBe('unpacking packages, 7 MB of about 5.6 GB on the disk,')
    pip.stop()
  })
})
