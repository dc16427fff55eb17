import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { settings } from './config/settings.ts'
import { temporaryFolder } from './testing/temporary-folder.ts'
import { version } from './version.ts'

const bin = fileURLToPath(new URL('bin.ts', import.meta.url))

interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command as a user does, in its own process. */
function run(
  args: readonly string[],
  { cwd, env = {}, stdout: fd }: { cwd?: string; env?: Record<string, string>; stdout?: number } = {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(HF_|PETALS_CHAT_|XDG_|FORCE_COLOR)/.test(name),
    )
    const child = spawn(process.execPath, ['--conditions=petals-chat-source', bin, ...args], {
      cwd,
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', fd ?? 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout?.on('data', (chunk) => (stdout += String(chunk)))
    child.stderr!.on('data', (chunk) => (stderr += String(chunk)))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

describe('petals-chat', () => {
  it('shows every flag with its variable and its default', async () => {
    const { code, stdout, stderr } = await run(['--help'])
    expect([code, stderr]).toEqual([0, ''])
    const help = stdout.replaceAll(/\s+/g, ' ')
    for (const { flag, variable } of settings) {
      expect(help).toContain(flag)
      expect(help).toContain(`[env: ${variable}]`)
    }
    expect(help).toContain('[env: PETALS_CHAT_PORT] [default: 5000]')
    expect(help).not.toContain('[default: ]')
    for (const command of ['serve', 'chat', 'models', 'config', 'doctor', 'completion'])
      expect(help).toContain(` ${command} `)
  })

  it('shows the flags of every command in its own help', async () => {
    const { stdout } = await run(['chat', '--help'])
    expect(stdout).toContain('--temperature')
    expect(stdout).toContain('--gpu')
    expect((await run(['help', 'models'])).stdout).toContain('pull <model>')
  })

  it('prints its version', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })

  it.runIf(process.platform === 'linux')('says why its output could not be written', async () => {
    await using full = await open('/dev/full', 'w')
    const { code, stderr } = await run(['config', 'print'], { stdout: full.fd })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^petals-chat: a part of the output could not be written: ENOSPC/)
  })

  it.each([
    [['sreve'], /There is no command 'sreve'. Did you mean 'serve'\?/],
    [['models', 'pul', 'x'], /There is no command 'pul'. Did you mean 'pull'\?/],
    [['config', 'chek'], /unknown command 'chek'\s+\(Did you mean check\?\)/],
    [['--prot', '1'], /unknown option '--prot'\s+\(Did you mean --port\?\)/],
    [['--port'], /argument missing/],
    [['models', 'info'], /missing required argument 'model'\s+See petals-chat models info --help\./],
    [['contribute', '--swram', 'new'], /Did you mean --swarm\?\)\s+See petals-chat contribute --help\./],
    [
      ['chat', '--temperature', 'hot', 'hi'],
      /--temperature: 'hot' is not allowed; it must be a number, 0 or more\./,
    ],
    [['completion', 'tcsh'], /There is no completion for 'tcsh'. Shells: bash, zsh, fish, powershell\./],
    [['models', 'info', 'nonsense'], /'nonsense' is not a configured model/],
    [
      ['--port', 'x'],
      /--port: server\.port: 'x' is not allowed; it must be a whole number from 0 to 65535\./,
    ],
  ])('refuses %j with an explanation and exit code 2', async (args, words) => {
    const { code, stderr, stdout } = await run(args)
    expect(stderr).toMatch(words)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect([code, stdout]).toEqual([2, ''])
  })

  it('checks a configuration', async () => {
    await using folder = await temporaryFolder()
    await folder.write('petals-chat.yaml', 'models:\n  - { id: a, engine: llama, source: ./a.gguf }\n')
    const good = await run(['config', 'check'], { cwd: folder.path, env: { PETALS_CHAT_PROT: '1' } })
    expect(good).toMatchObject({ code: 0, stdout: expect.stringContaining('valid, 1 model (a).') as string })
    expect(good.stderr).toMatch(
      /petals-chat\.yaml:2:\d+: models\[0\]\.source: there is no file or folder .*a\.gguf yet\./,
    )
    expect(good.stderr).toContain('PETALS_CHAT_PROT: this variable is not known')

    await folder.write('petals-chat.yaml', 'server: { port: many }\nlog: { level: loud }\n')
    const bad = await run(['config', 'check'], { cwd: folder.path })
    expect(bad.code).toBe(2)
    expect(bad.stderr).toMatch(
      /2 mistakes:\n {2}petals-chat\.yaml:1:17: server\.port: .*\n {2}petals-chat\.yaml:2:15: log\.level: /,
    )
  })

  it('accepts a model of a swarm, and explains a wrong address', async () => {
    await using folder = await temporaryFolder()
    await folder.write('petals-chat.yaml', 'models: [{ id: a, engine: petals, source: "hf:o/r" }]')
    const good = await run(['config', 'check'], { cwd: folder.path })
    expect(good).toMatchObject({ code: 0, stderr: '' })
    const bad = await run(['config', 'check', '--swarm', '10.1.2.3:31337'], { cwd: folder.path })
    expect(bad.code).toBe(2)
    expect(bad.stderr).toContain(
      "--swarm: swarm.initialPeers[0]: '10.1.2.3:31337' is not allowed: must be a multiaddr such as /ip4/203.0.113.7/tcp/31337/p2p/Qm….",
    )
  })

  it('prints the effective configuration with its origins and without secrets', async () => {
    await using folder = await temporaryFolder()
    await folder.write('petals-chat.yaml', 'server:\n  host: localhost\n')
    const env = { HF_TOKEN: 'hf_canary', PETALS_CHAT_LOG_LEVEL: 'warn' }
    const { stdout } = await run(['config', 'print', '--port', '7'], { cwd: folder.path, env })
    expect(stdout).toContain('  host: localhost  # petals-chat.yaml:2:9\n')
    expect(stdout).toContain('  port: 7  # --port\n')
    expect(stdout).toContain('  level: warn  # PETALS_CHAT_LOG_LEVEL\n')
    expect(stdout).toMatch(/token: .*\*{8}.* # HF_TOKEN\n/)
    expect(stdout).not.toContain('canary')
    const json = await run(['config', 'print', '--json'], { cwd: folder.path, env })
    expect(JSON.parse(json.stdout)).toMatchObject({
      server: { host: 'localhost' },
      hub: { token: '********' },
    })
  })

  it('prints completions with every command and flag', async () => {
    for (const shell of ['bash', 'zsh', 'fish', 'powershell']) {
      const { code, stdout } = await run(['completion', shell])
      expect(code).toBe(0)
      for (const word of ['serve', 'doctor', 'pull', 'check', 'temperature', 'log-level'])
        expect(stdout, shell).toContain(word)
    }
  })
})
