// node scripts/with-setup.mjs run|test NODE-ARGUMENTS…
// Sets up, then runs Node with the rest of the arguments, on the Node that the set-up brought. What `npm start` and
// `npm test` call: npm's own pre-scripts do not run where install scripts are off (.npmrc), and a shell would go on with
// the machine's old Node.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { setUpOrExit } from './setup.mjs'
import { root } from './setup/progress.mjs'

const [mode, ...args] = process.argv.slice(2)
const node = await setUpOrExit(mode)
const pathVariable = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'
const folders = [path.dirname(node), path.join(root, 'node_modules', '.bin'), process.env[pathVariable]]
const child = spawn(node, args, {
  stdio: 'inherit',
  env: { ...process.env, [pathVariable]: folders.filter(Boolean).join(path.delimiter) },
})

// A terminal sends Ctrl+C to the child, too; what only reaches this process is passed on. The child decides when to end.
process.on('SIGINT', () => {})
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  process.stderr.write(`${node} could not be started: ${error.message}\n`)
  process.exit(1)
})
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
