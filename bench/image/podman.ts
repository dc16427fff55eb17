import { spawnSync } from 'node:child_process'
import path from 'node:path'

/** Podman with images and containers in a folder of its own. It runs containers with runc, also where there is no systemd. */
export class Podman {
  readonly #options: readonly string[]

  constructor(folder: string) {
    const places = ['--root', path.join(folder, 'images'), '--runroot', path.join(folder, 'run')]
    const runtime = [
      '--cgroup-manager',
      'cgroupfs',
      '--runtime',
      '/usr/sbin/runc',
      '--events-backend',
      'none',
    ]
    this.#options = [...places, '--storage-driver', 'overlay', ...runtime]
  }

  /** Runs a command whose output goes to the terminal. @throws Error if it fails. */
  show(...args: readonly string[]): void {
    const { status } = spawnSync('podman', [...this.#options, ...args], { stdio: ['ignore', 2, 2] })
    if (status !== 0) throw new Error(`podman ${args[0]} ended with code ${status}.`)
  }

  /** Runs a command to its end. */
  run(...args: readonly string[]): {
    readonly code: number | null
    readonly output: string
    readonly stdout: string
  } {
    const { status, stdout, stderr } = spawnSync('podman', [...this.#options, ...args], { encoding: 'utf8' })
    return { code: status, stdout: stdout.trim(), output: `${stdout}${stderr}`.trim() }
  }

  /** Returns what a command prints. @throws Error with its words if it fails. */
  read(...args: readonly string[]): string {
    const { code, stdout, output } = this.run(...args)
    if (code !== 0) throw new Error(`podman ${args.slice(0, 3).join(' ')} ended with code ${code}: ${output}`)
    return stdout
  }
}
