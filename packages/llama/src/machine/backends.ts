import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join, sep } from 'node:path'
import { libraryPackage, type GpuName } from '@petals-chat/ggml'
import { countCores, type CoreCount } from './cpu-limit.ts'

/** What this machine offers the local engine, determined without loading native code. */
export interface LlamaMachine {
  readonly cores: CoreCount
  /** The library for the CPU, which every model needs. */
  readonly cpu: LlamaBackend
  readonly gpus: readonly GpuBackend[]
  /** The command that makes an unused GPU of this machine usable, if there is one. */
  readonly command?: string | undefined
}

export interface LlamaBackend {
  /** The library is in node_modules. */
  readonly installed: boolean
  /** A sentence for the user. */
  readonly detail: string
}

export interface GpuBackend extends LlamaBackend {
  readonly name: GpuName
  /** The GPU's driver is installed. */
  readonly possible: boolean
}

export interface DetectOptions {
  /** `process.env`: PATH, LD_LIBRARY_PATH and CUDA_PATH name folders of libraries. Without it only the default folders are searched. */
  readonly environment?: Environment | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/** The facts that the detection uses. */
export interface MachineFacts {
  readonly platform: NodeJS.Platform
  readonly arch: string
  readonly environment: Environment
  hasFile(path: string): boolean
  hasPackage(name: string): boolean
  /** The version of the bundled node-llama-cpp where this is an installed package; undefined in a checkout. */
  readonly installedVersion?: string | undefined
}

const glibcLoaders = [
  '/lib64/ld-linux-x86-64.so.2',
  '/lib/ld-linux-aarch64.so.1',
  '/lib/ld-linux-armhf.so.3',
  '/lib/ld-linux-riscv64-lp64d.so.1',
]
const CUDA_MAJORS = [13, 12]

/** Facts for `doctor`: cores, libraries and graphics cards. */
export function detectLlamaBackends({ environment = {} }: DetectOptions = {}): LlamaMachine {
  return describeMachine(thisMachine(environment))
}

/** As `detectLlamaBackends`, of any machine. */
export function describeMachine(facts: MachineFacts): LlamaMachine {
  const gpus = facts.platform === 'darwin' ? [metal(facts)] : [cuda(facts), vulkan(facts)]
  const wantsCuda = gpus.some(({ name, possible, installed }) => name === 'cuda' && possible && !installed)
  return { cores: countCores(), cpu: cpu(facts), gpus, ...(wantsCuda && { command: addCudaCommand(facts) }) }
}

function cpu(facts: MachineFacts): LlamaBackend {
  const installed = facts.hasPackage(libraryPackage(facts))
  if (facts.platform === 'linux' && !glibcLoaders.some((path) => facts.hasFile(path))) {
    return {
      installed,
      detail:
        "llama.cpp's library needs glibc, which this system does not have (Alpine?). Use a Debian or Ubuntu image.",
    }
  }
  if (installed) return { installed, detail: "llama.cpp's library is installed." }
  return {
    installed,
    detail: `llama.cpp's library for ${facts.platform} on ${facts.arch} is missing. Run \`npm ci\`.`,
  }
}

function metal(facts: MachineFacts): GpuBackend {
  const possible = facts.arch === 'arm64'
  const installed = possible && facts.hasPackage(libraryPackage(facts, 'metal'))
  const detail = possible
    ? 'Apple GPU, used through Metal.'
    : 'Metal is used on Apple silicon only; this Mac has an Intel processor.'
  return { name: 'metal', possible, installed, detail }
}

function cuda(facts: MachineFacts): GpuBackend {
  const possible = facts.arch === 'x64' && hasNvidiaDriver(facts)
  const installed = facts.hasPackage(libraryPackage(facts, 'cuda'))
  const detail = !possible
    ? 'No NVIDIA driver was found.'
    : !installed
      ? `An NVIDIA driver is installed, but the CUDA library is not: run \`${addCudaCommand(facts)}\` (540 MB).`
      : hasCudaRuntime(facts)
        ? 'The NVIDIA driver, the library and the CUDA runtime are installed.'
        : `The NVIDIA driver and the library are installed, but the CUDA runtime is not: install CUDA ${CUDA_MAJORS.join(' or ')} (cudart and cublas).`
  return { name: 'cuda', possible, installed, detail }
}

/** The default installation leaves the CUDA binaries out (docs/decisions/2026-11-28-published-packages.md). */
function addCudaCommand(facts: MachineFacts): string {
  const { installedVersion: version } = facts
  if (version === undefined) return 'npm run add-cuda'
  const cuda = libraryPackage(facts, 'cuda')
  return `npm install ${[cuda, `${cuda}-ext`].map((name) => `${name}@${version}`).join(' ')}`
}

function vulkan(facts: MachineFacts): GpuBackend {
  const possible = hasLibrary(facts, ['libvulkan.so.1', 'libvulkan.so'], ['vulkan-1.dll'])
  const installed = facts.hasPackage(libraryPackage(facts, 'vulkan'))
  const detail = !possible
    ? 'No Vulkan driver was found.'
    : installed
      ? 'A Vulkan driver and the library are installed.'
      : `A Vulkan driver is installed, but there is no library for ${facts.platform} on ${facts.arch}.`
  return { name: 'vulkan', possible, installed, detail }
}

function hasNvidiaDriver(facts: MachineFacts): boolean {
  const devices = ['/proc/driver/nvidia/version', '/dev/nvidiactl', '/usr/lib/wsl/lib/libcuda.so.1']
  return facts.platform === 'linux' && devices.some((path) => facts.hasFile(path))
    ? true
    : hasLibrary(facts, ['libnvidia-ml.so.1', 'libcuda.so.1'], ['nvml.dll', 'nvcuda.dll'])
}

function hasCudaRuntime(facts: MachineFacts): boolean {
  return CUDA_MAJORS.some((major) => hasLibrary(facts, [`libcudart.so.${major}`], [`cudart64_${major}.dll`]))
}

function hasLibrary(
  facts: MachineFacts,
  linuxNames: readonly string[],
  windowsNames: readonly string[],
): boolean {
  const names = facts.platform === 'win32' ? windowsNames : linuxNames
  return libraryFolders(facts).some((folder) => names.some((name) => facts.hasFile(join(folder, name))))
}

/** Returns the folders that the dynamic loader searches, as far as they are known without calling it. */
function libraryFolders({ platform, environment: env }: MachineFacts): string[] {
  const listed = (value: string | undefined) => (value ?? '').split(delimiter).filter(Boolean)
  if (platform === 'win32') {
    const cudaBin = env.CUDA_PATH ? [join(env.CUDA_PATH, 'bin'), join(env.CUDA_PATH, 'bin', 'x64')] : []
    return [join(env.SystemRoot ?? 'C:\\Windows', 'System32'), ...cudaBin, ...listed(env.PATH)]
  }
  const systemFolders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib']
  const cudaFolders = [env.CUDA_PATH, '/usr/local/cuda'].filter((path) => path !== undefined)
  return [
    ...listed(env.LD_LIBRARY_PATH),
    ...systemFolders,
    '/usr/lib/wsl/lib',
    ...cudaFolders.flatMap((folder) => [join(folder, 'lib64'), join(folder, 'targets/x86_64-linux/lib')]),
  ]
}

function thisMachine(environment: Environment): MachineFacts {
  const require = requireOf('node-llama-cpp')
  const isInstalled = import.meta.dirname.split(sep).includes('node_modules')
  return {
    platform: process.platform,
    arch: process.arch,
    environment,
    hasFile: existsSync,
    hasPackage: (name) =>
      require.resolve.paths(name)?.some((folder) => existsSync(join(folder, name))) ?? false,
    ...(isInstalled && { installedVersion: nodeLlamaCppVersion() }),
  }
}

/** Returns a `require` that looks where the code of a package looks: published, node-llama-cpp brings its own folder. */
export function requireOf(name: string): NodeJS.Require {
  const here = createRequire(import.meta.url)
  const folders = here.resolve.paths(name)?.map((folder) => join(folder, name)) ?? []
  const folder = folders.find((each) => existsSync(each))
  return folder === undefined ? here : createRequire(join(folder, 'package.json'))
}

function nodeLlamaCppVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { dependencies } = JSON.parse(manifest) as { readonly dependencies: Record<string, string> }
  return dependencies['node-llama-cpp']!
}
