// Bundles the command of packages/cli with the packages that it needs into packages/cli/bundle: a start then reads 30 files
// instead of 1,000. packages/cli/bin runs the bundle. Programs that import a package, and child processes, use dist as before.
// Why, and what stays outside: docs/decisions/2026-11-29-bundled-command.md
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(fileURLToPath(new URL('../..', import.meta.url)))
const folder = path.join(root, 'packages', 'cli', 'bundle')

/** Native code, which only child processes load, and packages that a user may add. They are found when they are needed. */
const outside = [/^node-llama-cpp$/, /^koffi$/, /^@opentelemetry\//]

const ours = /[\\/]packages[\\/]([^\\/]+)[\\/](dist[\\/].*)$/

/** The code of our packages with its source map, as TypeScript wrote them, and with the addresses that it had in its package. */
const ownCode = {
  name: 'own-code',
  async load(id) {
    const [, name, file] = ours.exec(id) ?? []
    if (name === undefined || !id.endsWith('.js')) return null
    const code = await readFile(id, 'utf8')
    const map = existsSync(`${id}.map`) ? JSON.parse(await readFile(`${id}.map`, 'utf8')) : null
    return { code: atItsAddress(code, name, file.replaceAll('\\', '/')), map }
  },
}

/** In the bundle `import.meta` is that of the bundle; files beside a module, such as the program of a child, are in its package. */
function atItsAddress(code, name, file) {
  if (name !== 'cli' && code.includes('import.meta.resolve')) {
    throw new Error(
      `${name}/${file} uses import.meta.resolve, which looks from the place of the bundle. Use createRequire.`,
    )
  }
  const manifest = name === 'cli' ? 'petals-chat/package.json' : `@petals-chat/${name}/package.json`
  const url = `new URL('./${file}', import.meta.resolve('${manifest}')).href`
  return code
    .replace(/import\.meta\.url/g, url)
    .replace(
      /import\.meta\.dirname/g,
      `process.getBuiltinModule('node:path').dirname(process.getBuiltinModule('node:url').fileURLToPath(${url}))`,
    )
}

const cpuMetric = /[\\/]prom-client[\\/]lib[\\/]metrics[\\/]processCpuTotal\.js$/
const eagerImport = "const OtelApi = require('@opentelemetry/api');"

/**
 * prom-client loads OpenTelemetry, 60 files outside the bundle, for exemplars, which a metric must ask for. In the bundle it
 * is loaded when one does.
 */
const lateOpenTelemetry = {
  name: 'late-open-telemetry',
  async load(id) {
    if (!cpuMetric.test(id)) return null
    const code = await readFile(id, 'utf8')
    if (!code.includes(eagerImport)) throw new Error(`${id} does not load OpenTelemetry as it did.`)
    return code.replace(eagerImport, '').replaceAll('OtelApi.', "require('@opentelemetry/api').")
  },
}

const httpModule = '\0node:http'
/** Exports of `node:http` that load `fetch` and the rest of undici when they are read. */
const lateExports = new Set(['WebSocket', 'CloseEvent', 'MessageEvent'])

/**
 * An `import` of `node:http` reads all exports of it, and so loads `fetch`, which takes a twenty-fifth of the start. In the
 * bundle, modules that import something else from it get what `require` would return, whose exports are read by need.
 */
const httpWithoutFetch = {
  name: 'http-without-fetch',
  resolveId(id, _importer, { kind }) {
    return /^(node:)?http$/.test(id) && kind === 'import-statement' ? httpModule : null
  },
  load(id) {
    if (id !== httpModule) return null
    const names = Object.keys(http).filter((name) => !lateExports.has(name))
    const exported = names.map((name) => `export const ${name} = http.${name}`)
    return [`const http = process.getBuiltinModule('node:http')`, 'export default http', ...exported].join(
      '\n',
    )
  },
}

/** Writes the bundle. Its compiled packages must be there. */
export async function bundleServer() {
  const { rolldown } = await import('rolldown')
  const bundle = await rolldown({
    input: path.join(root, 'packages', 'cli', 'dist', 'bin.js'),
    platform: 'node',
    external: outside,
    plugins: [ownCode, lateOpenTelemetry, httpWithoutFetch],
    onLog(level, log) {
      if (level === 'warn') throw new Error(`The command can't be bundled: ${log.message}`)
    },
  })
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const { output } = await bundle.write({
    dir: folder,
    format: 'esm',
    sourcemap: true,
    keepNames: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
  })
  const modules = output.flatMap(({ type, modules }) => (type === 'chunk' ? Object.keys(modules) : []))
  await writeFile(path.join(folder, 'LICENSES.txt'), await licencesOf(modules))
}

/** The licences of the packages whose code is in the bundle, which they ask to be kept with it. */
async function licencesOf(modules) {
  const folders = new Set(
    modules.flatMap((id) => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id)?.[0] ?? []),
  )
  const texts = [...folders].sort().map(async (each) => {
    const { name, version, license } = JSON.parse(await readFile(path.join(each, 'package.json'), 'utf8'))
    const file = readdirSync(each).find((entry) => /^licen[cs]e/i.test(entry))
    const text = file ? (await readFile(path.join(each, file), 'utf8')).trim() : `Licence: ${license}`
    return `${name} ${version}\n\n${text}\n`
  })
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleServer()
