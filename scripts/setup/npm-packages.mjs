import { access, readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { SetupError, root, run, startProgress } from './progress.mjs'
import { digestOfContents, forget, isFresh, markFresh } from './stamp.mjs'

const exists = (file) =>
  access(file).then(
    () => true,
    () => false,
  )

/** Returns the npm that called this script, without a shell; `npm` by its name if the script was started directly. */
export function npmCommand() {
  const npm = process.env.npm_execpath
  if (npm && /\.c?js$/.test(npm)) return { command: process.execPath, args: [npm] }
  return process.platform === 'win32'
    ? { command: 'cmd.exe', args: ['/d', '/s', '/c', 'npm'] }
    : { command: 'npm', args: [] }
}

async function countInstalled() {
  const modules = path.join(root, 'node_modules')
  const names = await readdir(modules).catch(() => [])
  const scopes = names.filter((name) => name.startsWith('@'))
  const scoped = await Promise.all(scopes.map((scope) => readdir(path.join(modules, scope)).catch(() => [])))
  return names.filter((name) => !name.startsWith('.')).length - scopes.length + scoped.flat().length
}

/** Installs exactly the packages of package-lock.json, without running their scripts. Returns false if nothing was to do. */
export async function installPackages() {
  const manifests = ['package.json', 'package-lock.json', '.npmrc']
  const digest = await digestOfContents(manifests, process.platform, process.arch)
  if ((await isFresh('npm', digest)) && (await exists(path.join(root, 'node_modules')))) return false
  await forget('npm')
  const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8'))
  const total = Object.keys(lock.packages).filter((name) => name.split('node_modules/').length === 2).length
  let installed = 0
  const timer = setInterval(async () => (installed = await countInstalled()), 500)
  const finish = startProgress(
    'Installing npm packages',
    () => `${Math.min(installed, total)} of about ${total},`,
  )
  try {
    const npm = npmCommand()
    await run(npm.command, [
      ...npm.args,
      'ci',
      '--include=dev',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ])
  } catch (error) {
    throw new SetupError(
      `npm could not install the packages. Check the network connection (and the proxy settings of npm), then try again.\n${error.message}`,
    )
  } finally {
    clearInterval(timer)
  }
  finish('finished')
  await markFresh('npm', digest)
  return true
}
