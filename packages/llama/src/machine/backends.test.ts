import { describe, expect, it } from 'vitest'
import { describeMachine, detectLlamaBackends, type MachineFacts } from './backends.ts'

const glibc = '/lib64/ld-linux-x86-64.so.2'

function machine(
  changes: Partial<MachineFacts> & { files?: readonly string[]; packages?: readonly string[] },
) {
  const { files = [glibc], packages = ['linux-x64'], ...facts } = changes
  return describeMachine({
    platform: 'linux',
    arch: 'x64',
    environment: {},
    hasFile: (path) => files.includes(path.replaceAll('\\', '/')),
    hasPackage: (name) => packages.some((each) => name === `@node-llama-cpp/${each}`),
    ...facts,
  })
}

describe('describeMachine', () => {
  it('describes a machine without a GPU', () => {
    const { cpu, gpus, command } = machine({})
    expect(cpu).toEqual({ installed: true, detail: "llama.cpp's library is installed." })
    expect(gpus.map(({ name, possible }) => [name, possible])).toEqual([
      ['cuda', false],
      ['vulkan', false],
    ])
    expect(command).toBeUndefined()
  })

  it('names the command that makes an NVIDIA GPU usable', () => {
    const { gpus, command } = machine({ files: [glibc, '/dev/nvidiactl'] })
    expect(command).toBe('npm run add-cuda')
    expect(gpus[0]).toMatchObject({ name: 'cuda', possible: true, installed: false })
    expect(gpus[0]?.detail).toMatch(/npm run add-cuda/)
  })

  it('names the packages to add where it is installed from the registry', () => {
    const { command } = machine({ files: [glibc, '/dev/nvidiactl'], installedVersion: '3.22.1' })
    expect(command).toBe(
      'npm install @node-llama-cpp/linux-x64-cuda@3.22.1 @node-llama-cpp/linux-x64-cuda-ext@3.22.1',
    )
  })

  it('reports a missing CUDA runtime', () => {
    const packages = ['linux-x64', 'linux-x64-cuda']
    const { gpus, command } = machine({ files: [glibc, '/proc/driver/nvidia/version'], packages })
    expect(command).toBeUndefined()
    expect(gpus[0]?.detail).toMatch(/install CUDA 13 or 12/)
    const complete = machine({
      files: [glibc, '/proc/driver/nvidia/version', '/opt/cuda/lib64/libcudart.so.12'],
      packages,
      environment: { CUDA_PATH: '/opt/cuda' },
    })
    expect(complete.gpus[0]?.detail).toMatch(/runtime are installed/)
  })

  it('recognizes Macs, Alpine, and a missing library', () => {
    expect(machine({ platform: 'darwin', arch: 'arm64', packages: ['mac-arm64-metal'] }).gpus).toEqual([
      { name: 'metal', possible: true, installed: true, detail: 'Apple GPU, used through Metal.' },
    ])
    expect(machine({ files: [] }).cpu.detail).toMatch(/needs glibc/)
    expect(machine({ packages: [] }).cpu.detail).toMatch(/linux on x64 is missing. Run `npm ci`/)
  })
})

describe('detectLlamaBackends', () => {
  it('finds the library of this machine', () => {
    const { cpu, cores } = detectLlamaBackends()
    expect(cpu.installed).toBe(true)
    expect(cores.available).toBeGreaterThanOrEqual(1)
  })
})
