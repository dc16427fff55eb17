import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Gpu } from '../machine/gpus.ts'
import { checkEnvironment, isReady, makeEnvironment } from './environment.ts'
import { InstallWatch } from './install-watch.ts'
import { planEnvironment, torchFor, type EnvironmentPlan, type InstallStep } from './plan.ts'
import { findInstaller, findPython } from './python.ts'

const gpu: Gpu = {
  index: 0,
  name: 'NVIDIA GeForce RTX 3090',
  totalBytes: 24e9,
  freeBytes: 23e9,
  driver: '550.54',
  computeCapability: 8.6,
  uuid: 'GPU-1',
}
const linux = { platform: 'linux', arch: 'x64', gpus: [gpu] } as const
const mac = { platform: 'darwin', arch: 'arm64', gpus: [] } as const
const folders = { folder: '/cache/env', requirements: '/pkg/python' }
const pip = { kind: 'pip', command: ['python3.11'], version: '3.11' } as const
const uv = { kind: 'uv', command: ['uv'] } as const

describe('findInstaller', () => {
  const machine = (answers: Readonly<Record<string, string>>) => (command: string) =>
    Promise.resolve(
      command in answers ? { code: 0, output: `${answers[command]}\n` } : { code: -1, output: 'ENOENT' },
    )

  it('prefers uv, which downloads its own Python', async () => {
    expect(await findInstaller(machine({ uv: 'uv 0.9', python3: '3.14' }))).toEqual(uv)
  })

  it('selects a Python that PyTorch 2.3 supports', async () => {
    expect(await findPython(machine({ 'python3.11': '3.11', python3: '3.13' }))).toEqual(pip)
    expect(await findPython(machine({ python3: '3.12' }))).toMatchObject({ version: '3.12' })
    expect(await findPython(machine({ python3: '3.13', python: '2.7' }))).toBeUndefined()
  })

  it('says what to install if there is no suitable Python', async () => {
    await expect(findInstaller(machine({ python3: '3.13' }))).rejects.toThrow(
      /neither uv nor Python 3\.8 to 3\.12 with venv.*apt install/s,
    )
  })
})

describe('planEnvironment', () => {
  const commands = ({ steps }: EnvironmentPlan) =>
    steps.map(({ command, args }) => [command, ...args].join(' '))

  it('installs CUDA only for a supported NVIDIA GPU', () => {
    expect(torchFor(linux)).toBe('cuda')
    expect(torchFor({ ...linux, gpus: [] })).toBe('cpu')
    expect(torchFor(mac)).toBe('cpu')
  })

  it('installs the pinned requirements, and Petals without its dependencies last', () => {
    const plan = planEnvironment({ installer: pip, machine: linux, torch: 'cuda', ...folders })
    expect(commands(plan)).toEqual([
      'python3.11 -m venv --clear /cache/env',
      '/cache/env/bin/python -m pip install --no-input --progress-bar off -r /pkg/python/requirements.txt',
      '/cache/env/bin/python -m pip install --no-input --progress-bar off --no-deps -r /pkg/python/requirements-no-deps.txt',
    ])
    expect(plan.diskBytes).toBeGreaterThan(5e9)
  })

  it('tries the small build of PyTorch only on Linux without a GPU', () => {
    const plan = planEnvironment({
      installer: pip,
      machine: { ...linux, gpus: [] },
      torch: 'cpu',
      ...folders,
    })
    expect(plan.steps[1]).toMatchObject({ optional: true })
    expect(commands(plan)[1]).toMatch(/torch==2\.3\.1\+cpu --index-url \S+\/cpu --retries 1/)
    expect(plan).toMatchObject({ fullBytes: 5.6e9 })
    const onMac = planEnvironment({ installer: pip, machine: mac, torch: 'cpu', ...folders })
    expect(onMac.steps.some(({ optional }) => optional)).toBe(false)
  })

  it('lets uv download Python 3.11', () => {
    const plan = planEnvironment({ installer: uv, machine: linux, torch: 'cuda', ...folders })
    expect(commands(plan)).toEqual([
      'uv venv --python 3.11 /cache/env',
      'uv pip install --python /cache/env/bin/python -r /pkg/python/requirements.txt',
      'uv pip install --python /cache/env/bin/python --no-deps -r /pkg/python/requirements-no-deps.txt',
    ])
  })
})

it('pins every package to the version that servers are tested with', async () => {
  const text = async (name: string) =>
    await readFile(new URL(`../../python/${name}`, import.meta.url), 'utf8')
  expect(await text('requirements.txt')).toMatch(/^torch==2\.3\.1$/m)
  expect(await text('requirements.txt')).toMatch(/^hivemind==1\.1\.12$/m)
  expect(await text('requirements-no-deps.txt')).toMatch(/^petals==2\.2\.0\.post1$/m)
  for (const name of ['requirements.txt', 'requirements-no-deps.txt', '../../../swarm/requirements.txt']) {
    const lines = (await text(name)).split('\n').filter((line) => !/^(#.*|-r .*|)$/.test(line))
    expect(lines.filter((line) => !/^[\w.-]+==[\w.]+(; .+)?$/.test(line))).toEqual([])
  }
})

describe('makeEnvironment', () => {
  let place: string
  beforeEach(async () => {
    place = await mkdtemp(path.join(tmpdir(), 'petals-environment-'))
  })
  afterEach(() => rm(place, { recursive: true, force: true }))

  const node = (title: string, script: string, more: Partial<InstallStep> = {}): InstallStep => ({
    title,
    command: process.execPath,
    args: ['-e', script],
    ...more,
  })
  const planOf = (steps: readonly InstallStep[]): EnvironmentPlan => {
    const folder = path.join(place, 'env')
    const python = path.join(folder, 'bin', 'python')
    return {
      folder,
      python,
      torch: 'cpu',
      steps,
      diskBytes: 1,
      downloadBytes: 1,
      fullBytes: undefined,
      minutes: '1',
    }
  }
  const makePython = (plan: { readonly python: string }) =>
    node(
      'Making',
      `const fs = require('fs'), f = ${JSON.stringify(plan.python)}; fs.mkdirSync(require('path').dirname(f), { recursive: true }); fs.appendFileSync(f, 'x')`,
    )

  it('runs the steps once, and continues after an optional step fails', async () => {
    const titles: string[] = []
    const onProgress = (title: string) => void titles.push(title)
    const base = planOf([])
    const plan = planOf([
      makePython(base),
      node('Small', 'process.exit(1)', { optional: true }),
      node('Last', ''),
    ])
    expect(await isReady(plan.folder, 'cpu')).toBe(false)
    await Promise.all([makeEnvironment(plan, { onProgress }), makeEnvironment(plan, { onProgress })])
    expect(await isReady(plan.folder, 'cpu')).toBe(true)
    expect(await isReady(plan.folder, 'cuda')).toBe(false)
    expect(await readFile(plan.python, 'utf8')).toBe('x')
    expect(titles).toContain('Small failed: the larger build is installed instead')
    expect(titles).toContain('Last')
  })

  it('names the failed step and the remedy, and is not ready', async () => {
    const plan = planOf([
      makePython(planOf([])),
      node('Installing PyTorch', 'console.error("NewConnectionError: no route"); process.exit(1)'),
    ])
    const making = makeEnvironment(plan, { onProgress: () => {} })
    await expect(making).rejects.toThrow(
      /^Installing PyTorch failed\. Check the network connection.*no route/s,
    )
    expect(await isReady(plan.folder, 'cpu')).toBe(false)
  })

  it('ends when its signal is aborted', async () => {
    const plan = planOf([node('Slow', 'setInterval(() => {}, 1000)')])
    const stop = new AbortController()
    const making = makeEnvironment(plan, {
      onProgress: () => stop.abort(new Error('enough')),
      signal: stop.signal,
    })
    await expect(making).rejects.toThrow('enough')
  })

  it('refuses a plan that needs more disk space than is free', async () => {
    const plan = { ...planOf([]), diskBytes: 1e18 }
    await expect(makeEnvironment(plan, { onProgress: () => {} })).rejects.toThrow(
      /GB are free.*--environment/s,
    )
  })

  it('takes over the lock of a process that has ended', async () => {
    const plan = planOf([makePython(planOf([]))])
    await mkdir(`${plan.folder}.lock`)
    await writeFile(path.join(`${plan.folder}.lock`, 'pid'), '2147483646')
    await makeEnvironment(plan, { onProgress: () => {} })
    expect(await isReady(plan.folder, 'cpu')).toBe(true)
  })

  it('refuses a named folder that is not an environment', async () => {
    await expect(checkEnvironment(place)).rejects.toThrow(/it has no bin\/python\. Omit --environment/)
  })
})

it('names the package that pip is downloading', () => {
  using watch = new InstallWatch({ environment: '/none', downloads: '/none', expectedBytes: 5.6e9 })
  const shown = (text: string): string => {
    watch.read(text)
    return watch.detail()
  }
  expect(shown('Collecting build\n  Downloading torch-2.3.1-cp311-cp311-linux_x86_64.whl (779.1 MB)\n')).toBe(
    'torch, 0.0 of about 5.6 GB installed',
  )
  expect(shown('  Downloading https://host/packages/numpy-1.26.4-cp311.whl.metadata (61 kB)')).toMatch(
    /^numpy, /,
  )
  expect(shown('Installing collected packages: varint, sortedcontainers, torch')).toMatch(/^unpacking, /)
})
