import { access } from 'node:fs/promises'
import path from 'node:path'
import { root, run, startProgress } from './progress.mjs'
import { digestOfTimes, forget, isFresh, markFresh } from './stamp.mjs'

const nodePackages = [
  'api',
  'engine',
  'ggml',
  'hub',
  'llama',
  'petals',
  'tools',
  'upstream',
  'contribute',
  'blocks',
  'gateway',
  'cli',
]
const isBuilt = (name) =>
  access(path.join(root, 'packages', name, 'dist')).then(
    () => true,
    () => false,
  )

/** Runs a build step unless its sources are unchanged since it last succeeded and its output exists. */
async function buildStep(name, title, packages, commands) {
  const inputs = ['src', 'public', 'index.html', 'package.json', 'tsconfig.json', 'vite.config.ts']
  const places = packages.flatMap((each) => inputs.map((input) => `packages/${each}/${input}`))
  const digest = await digestOfTimes([...places, 'tsconfig.base.json', 'tsconfig.build.json'], commands)
  const outputs = await Promise.all(packages.map(isBuilt))
  if ((await isFresh(name, digest)) && outputs.every(Boolean)) return false
  await forget(name)
  const finish = startProgress(title)
  for (const { command, args, cwd } of commands)
    await run(command, args, { cwd: path.join(root, cwd ?? '.') })
  finish('finished')
  await markFresh(name, digest)
  return true
}

/** Compiles the packages and bundles the page. Returns false if everything was up to date. */
export async function build(node) {
  const script = (...parts) => path.join(root, 'node_modules', ...parts)
  const packages = await buildStep('build-node', 'Building the packages', nodePackages, [
    { command: node, args: [script('typescript', 'bin', 'tsc'), '-b', 'packages/cli'] },
  ])
  const command = await buildStep('build-command', 'Bundling the command', nodePackages, [
    { command: node, args: [path.join('scripts', 'packages', 'bundle-server.mjs')] },
  ])
  const page = await buildStep(
    'build-web',
    'Building the chat page',
    ['web'],
    [
      {
        command: node,
        args: [script('vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'],
        cwd: 'packages/web',
      },
    ],
  )
  return packages || command || page
}
