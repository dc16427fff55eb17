import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultModelPath, testCacheHome } from '../../tests/support/model.ts'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly repository: { readonly url: string; readonly directory: string }
  readonly exports: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly [key: string]: unknown
}

interface Tarball {
  readonly file: string
  readonly files: readonly string[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const scriptUrl = new URL('./pack.mjs', import.meta.url).href
const { packAll } = (await import(scriptUrl)) as {
  packAll: (destination: string) => Promise<Record<string, Tarball>>
}

const readManifest = (file: string): Manifest => JSON.parse(readFileSync(file, 'utf8')) as Manifest
const rootManifest = readManifest(path.join(root, 'package.json'))
const names = (rootManifest['workspaces'] as readonly string[]).map((folder) => path.basename(folder))
const manifestOf = (name: string): Manifest => readManifest(path.join(root, 'packages', name, 'package.json'))
const programs = names.filter((name) => name !== 'web')

let folder: string
let tarballs: Record<string, Tarball>
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-packages-'))
  tarballs = await packAll(path.join(folder, 'tarballs'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs Node, or a command of an installation, and returns its standard output. */
async function run(args: readonly string[], cwd: string, command = process.execPath): Promise<string> {
  const { stdout } = await promisify(execFile)(command, [...args], { cwd, maxBuffer: 2 ** 26 })
  return stdout
}

const tool = (...parts: string[]): string => path.join(root, 'node_modules', ...parts)

describe('manifests', () => {
  it.each(names)('%s has all fields that the registry shows', (name) => {
    const manifest = manifestOf(name)
    const { repository } = rootManifest
    const address = repository.url.replace(/^git\+|\.git$/g, '')
    expect(manifest).toMatchObject({
      version: manifestOf('cli').version,
      license: rootManifest['license'],
      engines: rootManifest['engines'],
      repository: { ...repository, directory: `packages/${name}` },
      homepage: `${address}/tree/main/packages/${name}#readme`,
      bugs: `${address}/issues`,
      publishConfig: { access: 'public', provenance: true },
    })
    expect(manifest['keywords']).not.toEqual([])
    expect(manifest['description']).toMatch(/^[A-Z]/)
  })

  it.each(names)('%s depends on exactly this version of its siblings, and pins all others', (name) => {
    const { dependencies = {}, optionalDependencies = {} } = manifestOf(name)
    for (const [dependency, version] of Object.entries({ ...dependencies, ...optionalDependencies }))
      expect(version, dependency).toMatch(
        dependency.startsWith('@petals-chat/') ? manifestOf('cli').version : /^\d+\.\d+\.\d+$/,
      )
  })

  it('llama takes the binaries of node-llama-cpp for all systems, without CUDA', () => {
    const { optionalDependencies } = readManifest(tool('node-llama-cpp', 'package.json'))
    const binaries = Object.entries(optionalDependencies ?? {})
    const wanted = binaries.filter(([binary]) => !binary.includes('cuda'))
    expect(manifestOf('llama').optionalDependencies).toEqual(Object.fromEntries(wanted))
    expect(wanted.length).toBeLessThan(binaries.length)
  })
})

describe('tarballs', () => {
  it.each(names)('%s has the licence, a README and what it exports', (name) => {
    const { files } = tarballs[name]!
    const isWeb = name === 'web'
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']))
    expect(files).toEqual(
      expect.arrayContaining(
        isWeb
          ? ['dist/index.html']
          : ['dist/index.js', 'dist/index.d.ts', 'dist/index.d.ts.map', 'src/index.ts'],
      ),
    )
    expect(readFileSync(path.join(root, 'packages', name, 'LICENSE'), 'utf8')).toBe(
      readFileSync(path.join(root, 'LICENSE'), 'utf8'),
    )
  })

  it.each(programs)('%s imports no TypeScript: all names of files end as they were compiled', (name) => {
    const compiled = tarballs[name]!.files.filter((file) => /^dist\/.*\.js$/.test(file))
    const importing = compiled.filter((file) =>
      /(from|import\() ?'\.[^'\n]*\.ts'/.test(readFileSync(path.join(root, 'packages', name, file), 'utf8')),
    )
    expect(importing).toEqual([])
  })

  it.each(names)('%s has no tests, no helpers of its own tests and no build records', (name) => {
    const own = tarballs[name]!.files.filter((file) => !file.startsWith('node_modules/'))
    const isExported = Object.keys(manifestOf(name).exports).includes('./testing')
    expect(own.filter((file) => /\.test\.|\/fixtures\/|tsbuildinfo/.test(file))).toEqual([])
    if (!isExported) expect(own.filter((file) => file.includes('/testing/'))).toEqual([])
  })

  it('cli has the command, bundled with the licences of what is in it, and the JSON schema of its configuration', () => {
    const { files } = tarballs['cli']!
    const wanted = ['bin/petals-chat.mjs', 'bundle/bin.js', 'bundle/LICENSES.txt', 'petals-chat.schema.json']
    expect(files).toEqual(expect.arrayContaining(wanted))
    expect(files.filter((file) => /^bundle\/.*\.map$/.test(file))).toEqual([])
  })

  it.each(names)('%s passes publint', async (name) => {
    expect(
      await run([tool('publint', 'src', 'cli.js'), 'run', '--strict', tarballs[name]!.file], root),
    ).toContain('All good!')
  })

  it.each(programs)('%s has types that every resolution of ES modules finds', async (name) => {
    const attw = tool('@arethetypeswrong', 'cli', 'dist', 'index.js')
    await run([attw, tarballs[name]!.file, '--profile', 'esm-only', '--quiet'], root)
  })
})

/** A package with the siblings that it depends on. */
function withSiblings(name: string): readonly string[] {
  const siblings = Object.keys(manifestOf(name).dependencies ?? {}).filter((each) =>
    each.startsWith('@petals-chat/'),
  )
  return [...new Set([name, ...siblings.flatMap((each) => withSiblings(path.basename(each)))])]
}

/** Installs a package into an empty folder: from its tarball, its siblings from theirs, all others from the registry. */
async function install(name: string): Promise<string> {
  const target = path.join(folder, name)
  await mkdir(target)
  await writeFile(path.join(target, 'package.json'), '{ "private": true, "type": "module" }')
  const npm = process.env['npm_execpath']
  const args = [
    'install',
    '--prefix',
    target,
    '--prefer-offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
  ]
  const files = withSiblings(name).map((each) => tarballs[each]!.file)
  if (npm !== undefined) await run([npm, ...args, ...files], target)
  else await run([...args, ...files], target, 'npm')
  return target
}

/** The README's examples in JavaScript, which a reader would paste into a file. */
function examplesOf(name: string): readonly string[] {
  const text = readFileSync(path.join(root, 'packages', name, 'README.md'), 'utf8')
  return [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code!)
}

async function runExample(name: string, target: string, ...args: string[]): Promise<string> {
  const [example] = examplesOf(name)
  await writeFile(path.join(target, 'example.js'), example!)
  return run(['example.js', ...args], target)
}

async function importExports(name: string, target: string): Promise<void> {
  const { name: id, exports } = manifestOf(name)
  const lines = Object.keys(exports).map((key) => {
    const attributes = key.endsWith('.json') ? `, { with: { type: 'json' } }` : ''
    return `await import('${path.posix.join(id, key)}'${attributes})`
  })
  await writeFile(path.join(target, 'imports.js'), lines.join('\n'))
  await run(['imports.js'], target)
}

const timeout = 300_000

describe('installed on its own', () => {
  it.each<[name: string, output: readonly string[], args?: readonly string[]]>([
    ['api', ['What is the capital of France?', '/v1/chat/completions']],
    ['engine', ['Paris', 'stop: ']],
    ['ggml', ['on ', ': 7, 16']],
    ['hub', ['example.js'], ['./example.js']],
    ['contribute', ['contribute petals-team/StableBeluga2 --swarm public --blocks 0:16']],
    ['gateway', ['Paris.']],
    ['web', ['dist']],
  ])(
    '%s imports, and the example of its README runs',
    async (name, output, args = []) => {
      const target = await install(name)
      await importExports(name, target)
      const printed = await runExample(name, target, ...args)
      for (const text of output) expect(printed).toContain(text)
    },
    timeout,
  )

  it(
    'llama runs a model, without the CUDA binaries',
    async () => {
      const target = await install('llama')
      await importExports('llama', target)
      expect(await runExample('llama', target, await defaultModelPath())).toContain('Paris')
      const binaries = await readdir(path.join(target, 'node_modules', '@node-llama-cpp'))
      expect(binaries).not.toEqual([])
      expect(binaries.filter((binary) => binary.includes('cuda'))).toEqual([])
    },
    timeout,
  )

  it(
    'petals imports; the example of its README is the one that runs against real servers',
    async () => {
      await importExports('petals', await install('petals'))
      const [example] = examplesOf('petals')
      expect(readFileSync(path.join(root, 'examples', 'swarm-client.ts'), 'utf8')).toContain(example)
    },
    timeout,
  )

  it(
    'petals-chat starts the chat: its command, the page and the default model',
    async () => {
      const target = await install('cli')
      await importExports('cli', target)
      expect(await runExample('cli', target)).toContain('SmolLM2-135M-Instruct llama')
      expect(existsSync(path.join(target, 'node_modules', 'petals-chat', 'petals-chat.schema.json'))).toBe(
        true,
      )
      // OpenTelemetry is installed only where it is used (prom-client needs its api); the command that does that names versions.
      expect(await readdir(path.join(target, 'node_modules', '@opentelemetry'))).toEqual(['api'])
      expect(await traceWithoutPackages(target)).toContain(
        `npm install @opentelemetry/api@${rootManifest.devDependencies!['@opentelemetry/api']} `,
      )
      await defaultModelPath()
      await using server = await startCommand(target)
      const page = await fetch(server.url)
      expect(await page.text()).toContain('<title>')
      const answer = await fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'SmolLM2-135M-Instruct',
          messages: [{ role: 'user', content: 'What is the capital of France?' }],
          temperature: 0,
          max_tokens: 16,
        }),
      })
      expect(await answer.text()).toContain('Paris')
      expect(await readdir(path.join(target, 'node_modules', '@node-llama-cpp'))).not.toContain(
        'linux-x64-cuda',
      )
    },
    timeout,
  )
})

/** Returns what the installed command says when its configuration wants traces. */
async function traceWithoutPackages(target: string): Promise<string> {
  const config = path.join(target, 'traced.yaml')
  await writeFile(config, 'server: { port: 0, tracing: { endpoint: http://127.0.0.1:4318/v1/traces } }\n')
  const command = path.join(target, 'node_modules', 'petals-chat', 'bin', 'petals-chat.mjs')
  const failed = await promisify(execFile)(process.execPath, [command, '--config', config], {
    cwd: target,
    env: { ...process.env, XDG_CACHE_HOME: testCacheHome, NO_COLOR: '1' },
    timeout: 60_000,
  }).then(
    () => ({ stderr: '' }),
    (error: unknown) => error as { readonly stderr: string },
  )
  return failed.stderr
}

/** Starts the installed command with a cache that holds the default model, and waits for its address. */
async function startCommand(target: string): Promise<AsyncDisposable & { readonly url: string }> {
  const command = path.join(target, 'node_modules', 'petals-chat', 'bin', 'petals-chat.mjs')
  const child = spawn(process.execPath, [command, '--port', '0'], {
    cwd: target,
    env: { ...process.env, XDG_CACHE_HOME: testCacheHome, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let output = ''
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(output)
      if (address) resolve(address[0])
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void exited.then(() => reject(new Error(`petals-chat ended before it listened:\n${output}`)))
  })
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
