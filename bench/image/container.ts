import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Podman } from './podman.ts'

/** The program inside the image, for commands beside the server. */
export const program = ['node', '/app/node_modules/petals-chat/bin/petals-chat.mjs']

/** A container as deploy/compose.yaml runs it: read-only but for two volumes and /tmp, without capabilities or a network. */
export class Container implements Disposable {
  readonly #podman: Podman
  readonly #name = `petals-chat-${randomUUID().slice(0, 8)}`

  /** `cache` and `state`: folders of this machine that belong to the image's user. */
  constructor(
    podman: Podman,
    image: string,
    { cache, state }: { readonly cache: string; readonly state: string },
  ) {
    this.#podman = podman
    const limits = ['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=2000:2000', '--network', 'none']
    const locked = [
      '--read-only',
      '--tmpfs',
      '/tmp',
      '--cap-drop',
      'ALL',
      '--security-opt',
      'no-new-privileges',
    ]
    const volumes = ['-v', `${cache}:/var/cache/petals-chat`, '-v', `${state}:/var/lib/petals-chat`]
    const variables = ['-e', 'PETALS_CHAT_KEYS=required', '-e', 'PETALS_CHAT_OFFLINE=1']
    const file = ['-e', 'PETALS_CHAT_KEYS_FILE=/var/lib/petals-chat/access.sqlite']
    // Podman's timer for the health check is systemd's; the check itself is run below.
    const args = [...limits, ...locked, ...volumes, ...variables, ...file, '--no-healthcheck']
    podman.read('run', '--detach', '--name', this.#name, ...args, image)
  }

  exec(...command: readonly string[]): ReturnType<Podman['run']> {
    return this.#podman.run('exec', this.#name, ...command)
  }

  /** Waits until a command succeeds. @throws Error with the log if it does not within a minute. */
  async until(command: readonly string[]): Promise<void> {
    const deadline = Date.now() + 60_000
    while (this.exec(...command).code !== 0) {
      if (Date.now() > deadline) throw new Error(`The container did not get ready:\n${this.log()}`)
      await delay(500)
    }
  }

  log(): string {
    return this.#podman.run('logs', this.#name).output
  }

  /** Stops it with its stop signal, and returns its exit code. */
  stop(): number {
    this.#podman.read('stop', '--time', '45', this.#name)
    return Number(this.#podman.read('inspect', '--format', '{{.State.ExitCode}}', this.#name))
  }

  [Symbol.dispose](): void {
    this.#podman.run('rm', '--force', '--time', '1', this.#name)
  }
}
