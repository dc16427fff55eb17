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
    // Signs with the keys of its user. Packages come over https only, so that pip does not need it.
    SSH_AUTH_SOCK: '/run/user/1000/ssh-agent',
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

describe('childEnvironment of a program that uses the network', () => {
  const company = {
    HTTPS_PROXY: 'http://user:pw@proxy:8080',
    ALL_PROXY: 'socks5h://proxy:1080',
    no_proxy: 'localhost',
    SSL_CERT_FILE: '/etc/ssl/company.pem',
    SSL_CERT_DIR: '/etc/ssl/certs',
    REQUESTS_CA_BUNDLE: '/etc/ssl/company.pem',
    CURL_CA_BUNDLE: '/etc/ssl/company.pem',
    NODE_EXTRA_CA_CERTS: '/etc/ssl/company.pem',
    PIP_INDEX_URL: 'https://user:pw@packages.company.example/simple',
    PIP_EXTRA_INDEX_URL: 'https://packages.company.example/other',
    PIP_CERT: '/etc/ssl/company.pem',
    PIP_CLIENT_CERT: '/home/me/client.pem',
    PIP_TRUSTED_HOST: 'packages.company.example',
    PIP_PROXY: 'http://user:pw@proxy:8080',
    PIP_CONFIG_FILE: '/etc/pip.conf',
    PIP_KEYRING_PROVIDER: 'subprocess',
    NETRC: '/home/me/.netrc',
    KRB5CCNAME: '/tmp/krb5cc_1000',
  }

  it('has what pip needs behind the proxy of a company', () => {
    expect(childEnvironment(company, { usesNetwork: true })).toEqual(company)
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
