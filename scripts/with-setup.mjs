// node scripts/with-setup.mjs MODE NODE-ARGUMENTS…
// Runs the set-up, then runs the Node that it installed with the rest of the arguments. `npm start` and `npm test` call this:
// npm's own pre-scripts do not run when install scripts are off (.npmrc), and a shell would continue with the machine's Node.
import { spawn } from 'node:child_process'
import path from 'node:path'
import { setUpOrExit } from './setup.mjs'
import { noReports } from './setup/no-reports.mjs'
import { onParentEnd } from './setup/parent.mjs'
import { root } from './setup/progress.mjs'

const [mode, ...args] = process.argv.slice(2)
let child
let isEnding = false

/** Asks the child to end, but only once: a second signal makes it end immediately. Windows has no such signal. */
function end() {
  if (child === undefined) process.exit(1) // also ends the programs of the set-up
  if (isEnding) return
  isEnding = true
  if (process.platform === 'win32') child.disconnect()
  else child.kill('SIGTERM')
}

/** A terminal sends Ctrl+C to the child as well; other SIGINTs are forwarded. The child decides when to end. */
function interrupt() {
  if (child === undefined) process.exit(130)
  if (!process.stdin.isTTY) child.kill('SIGINT')
}

process.on('SIGINT', interrupt)
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, end)
onParentEnd(end)

const node = await setUpOrExit(mode)
const pathVariable = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'
const folders = [path.dirname(node), path.join(root, 'node_modules', '.bin'), process.env[pathVariable]]
child = spawn(node, args, {
  // The IPC channel closes when this process ends, even if it is killed, which ends the child.
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  env: { ...process.env, ...noReports, [pathVariable]: folders.filter(Boolean).join(path.delimiter) },
})
child.on('error', (error) => {
  process.stderr.write(`${node} could not be started: ${error.message}\n`)
  process.exit(1)
})
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
