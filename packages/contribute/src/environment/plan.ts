import path from 'node:path'
import type { Machine } from '../machine/machine.ts'
import { environmentFacts, pythonOf, uvPython, type EnvironmentSize, type Installer } from './python.ts'

/** Builds of PyTorch: with NVIDIA's libraries, or for the CPU (and Apple's GPU). */
export type Torch = 'cuda' | 'cpu'

/** One program of the installation. */
export interface InstallStep {
  /** Its description for the user: "Installing PyTorch". */
  readonly title: string
  readonly command: string
  readonly args: readonly string[]
  /** The step only saves space: if it fails, the later steps do not need it. */
  readonly optional?: boolean
}

export interface EnvironmentPlan extends EnvironmentSize {
  readonly folder: string
  readonly python: string
  readonly torch: Torch
  readonly steps: readonly InstallStep[]
  /** The disk space if an optional step fails and the larger build is installed. */
  readonly fullBytes: number | undefined
}

export interface PlanOptions {
  readonly installer: Installer
  readonly machine: Pick<Machine, 'platform' | 'arch' | 'gpus'>
  readonly torch: Torch
  readonly folder: string
  /** Folder with requirements.txt and requirements-no-deps.txt. */
  readonly requirements: string
}

/** PyTorch's own index, which has builds without NVIDIA's libraries: PyPI has none for Linux on x64. */
const cpuIndex = 'https://download.pytorch.org/whl/cpu'
const torchVersion = '2.3.1'

/** Returns the build of PyTorch for a machine: with NVIDIA's libraries only if it can use them. */
export const torchFor = ({ gpus, platform, arch }: PlanOptions['machine']): Torch =>
  gpus.length > 0 && platform === 'linux' && arch === 'x64' ? 'cuda' : 'cpu'

/** Plans the steps that make the environment of a server. */
export function planEnvironment(options: PlanOptions): EnvironmentPlan {
  const { folder, torch, machine, installer } = options
  const python = pythonOf(folder, machine.platform)
  const steps = installer.kind === 'uv' ? uvSteps(options, python) : pipSteps(options, installer, python)
  const fullBytes = needsCpuIndex(options) ? environmentFacts.sizes.cuda.diskBytes : undefined
  return { folder, python, torch, steps, ...environmentFacts.sizes[torch], fullBytes }
}

const needsCpuIndex = ({ torch, machine }: PlanOptions): boolean =>
  torch === 'cpu' && machine.platform === 'linux' && machine.arch === 'x64'

const files = ({ requirements }: PlanOptions) => ({
  all: path.join(requirements, 'requirements.txt'),
  withoutDependencies: path.join(requirements, 'requirements-no-deps.txt'),
})

function uvSteps(options: PlanOptions, python: string): readonly InstallStep[] {
  const { all, withoutDependencies } = files(options)
  const uv = (title: string, ...args: readonly string[]): InstallStep => ({ title, command: 'uv', args })
  const install = ['pip', 'install', '--python', python]
  const cpuTorch: InstallStep = {
    ...uv(
      'Installing PyTorch for the CPU',
      ...install,
      `torch==${torchVersion}+cpu`,
      '--index-url',
      cpuIndex,
    ),
    optional: true,
  }
  return [
    uv(`Downloading Python ${uvPython}`, 'venv', '--python', uvPython, options.folder),
    ...(needsCpuIndex(options) ? [cpuTorch] : []),
    uv('Installing PyTorch and the libraries', ...install, '-r', all),
    uv('Installing Petals', ...install, '--no-deps', '-r', withoutDependencies),
  ]
}

function pipSteps(
  options: PlanOptions,
  { command: [command = 'python3', ...args] }: Installer,
  python: string,
): readonly InstallStep[] {
  const { all, withoutDependencies } = files(options)
  const install = ['-m', 'pip', 'install', '--no-input', '--progress-bar', 'off']
  const pip = (title: string, ...rest: readonly string[]): InstallStep => ({
    title,
    command: python,
    args: [...install, ...rest],
  })
  const cpuTorch: InstallStep = {
    ...pip('Installing PyTorch for the CPU', `torch==${torchVersion}+cpu`, '--index-url', cpuIndex),
    optional: true,
  }
  // Short timeouts, because company networks often block this index, and its build is only smaller.
  const withShortTimeouts = { ...cpuTorch, args: [...cpuTorch.args, '--retries', '1', '--timeout', '10'] }
  return [
    {
      title: 'Making a Python environment',
      command,
      args: [...args, '-m', 'venv', '--clear', options.folder],
    },
    ...(needsCpuIndex(options) ? [withShortTimeouts] : []),
    pip('Installing PyTorch and the libraries', '-r', all),
    pip('Installing Petals', '--no-deps', '-r', withoutDependencies),
  ]
}
