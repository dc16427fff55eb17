import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { childEnvironment } from './child-process.ts'

describe('childEnvironment', () => {
  const secrets = {
    HF_TOKEN: 'x',
    HUGGING_FACE_HUB_TOKEN: 'x',
    PETALS_CHAT_HF_TOKEN: 'x',
    OPENAI_API_KEY: 'x',
    AWS_SECRET_ACCESS_KEY: 'x',
    GOOGLE_APPLICATION_CREDENTIALS: 'x',
    npm_config__auth: 'x',
    DB_PASSWORD: 'x',
    OTEL_EXPORTER_OTLP_HEADERS: 'x',
  }
  const addresses = { REDIS_URL: 'redis://:pw@host/0', https_proxy: 'http://user:pw@proxy:8080' }
  const harmless = {
    PATH: '/usr/bin',
    LD_LIBRARY_PATH: '/opt/cuda/lib64',
    CUDA_VISIBLE_DEVICES: '0',
    TOKENIZERS_PARALLELISM: 'false',
    PETALS_CHAT_THREADS: '2',
    HTTP_PROXY: 'http://proxy:8080',
  }

  it('leaves out what looks like a secret', () => {
    expect(childEnvironment({ ...secrets, ...addresses, ...harmless, EMPTY: undefined })).toEqual(harmless)
  })

  it('keeps addresses with passwords for a program that uses the network', () => {
    expect(childEnvironment({ ...secrets, ...addresses }, { usesNetwork: true })).toEqual(addresses)
  })
})

describe.skipIf(process.platform === 'win32')('endWithThisProcess', () => {
  it('kills a child that is stopped, and the child of a process that throws', async () => {
    const module = fileURLToPath(new URL('./child-process.ts', import.meta.url))
    const program = `
      import { spawn } from 'node:child_process'
      import { endWithThisProcess } from ${JSON.stringify(module)}
      const child = spawn('sleep', ['600'])
      endWithThisProcess(child)
      child.kill('SIGSTOP')
      process.stdout.write(child.pid + '\\n', () => { throw new Error('the end') })`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let pid = ''
    parent.stdout.on('data', (chunk: Buffer) => (pid += String(chunk)))
    await once(parent, 'close')
    await expect.poll(() => isAlive(Number(pid))).toBe(false)
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
