// node --conditions=petals-chat-source bench/conformance/autobahn.ts [--cases 1.*,2.*] [--json FILE]
//
// Runs Autobahn's fuzzing client (wstest) against an echo server on the gateway's WebSocket server: RFC 6455 in more than
// 500 cases. Needs a Python 2.7. Fails if a case fails.
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createWebSocketServer } from '../../packages/gateway/src/server/websocket-server.ts'
import { describeMachine } from '../support/machine.ts'
import { findPython2 } from './python2.ts'
import { runTool } from './run-tool.ts'

/** The last one; it pins what it needs itself. */
const SUITE = 'autobahntestsuite==25.10.1'
const folder = path.resolve(import.meta.dirname, '../../.cache/autobahn')
/** A user's own packages, apart from those of the machine. */
const packages = { env: { PYTHONUSERBASE: path.join(folder, 'python'), PYTHONNOUSERSITE: '' } }
const reports = path.join(folder, 'reports')

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '*' }, json: { type: 'string' } },
})

/** The suite's large messages have 16 MB and 65,536 fragments, which the gateway refuses as too many. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024
const MAX_FRAGMENTS = 1_000_000

async function startEcho(): Promise<{ readonly url: string; close(): void }> {
  const sockets = createWebSocketServer({ maxMessageBytes: MAX_MESSAGE_BYTES, maxFragments: MAX_FRAGMENTS })
  const server = createServer()
  server.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => {})
      webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }))
    }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets.clients) socket.terminate()
      server.close()
    },
  }
}

async function installSuite(python: string): Promise<void> {
  const isInstalled = await runTool(python, ['-c', 'import autobahntestsuite'], packages).then(
    () => true,
    () => false,
  )
  if (isInstalled) return
  console.error(`Installing ${SUITE} …`)
  await runTool(python, ['-m', 'pip', 'install', '--quiet', '--user', SUITE], packages)
}

async function runSuite(python: string, url: string): Promise<void> {
  const spec = {
    outdir: reports,
    servers: [{ agent: 'gateway', url, options: { version: 18 } }],
    cases: values.cases.split(','),
    'exclude-cases': [],
    'exclude-agent-cases': {},
  }
  const file = path.join(folder, 'spec.json')
  await writeFile(file, JSON.stringify(spec))
  await runTool(python, ['-m', 'autobahntestsuite.wstest', '-m', 'fuzzingclient', '-s', file], packages)
}

interface CaseResult {
  readonly behavior: string
  readonly behaviorClose: string
}

/** The numbers of cases by their results, of the message and of the close. */
async function readResults(): Promise<Record<string, CaseResult>> {
  const index = JSON.parse(await readFile(path.join(reports, 'index.json'), 'utf8')) as {
    readonly gateway: Record<string, CaseResult>
  }
  return index.gateway
}

const isBad = (behavior: string): boolean =>
  !['OK', 'NON-STRICT', 'INFORMATIONAL', 'UNIMPLEMENTED'].includes(behavior)

const python = await findPython2()
await mkdir(folder, { recursive: true })
await installSuite(python)
await rm(reports, { recursive: true, force: true })
const echo = await startEcho()
try {
  await runSuite(python, echo.url)
} finally {
  echo.close()
}
const results = await readResults()
const counts = Map.groupBy(Object.values(results), ({ behavior }) => behavior)
const failed = Object.entries(results).filter(
  ([, { behavior, behaviorClose }]) => isBad(behavior) || isBad(behaviorClose),
)
const report = {
  ...describeMachine(),
  cases: Object.keys(results).length,
  ...Object.fromEntries([...counts].map(([behavior, cases]) => [behavior, cases.length])),
  failed: failed.map(([name]) => name),
}
console.log(report)
console.log(`Details: ${path.relative(process.cwd(), path.join(reports, 'index.html'))}`)
await writeFile(values.json ?? path.join(folder, 'report.json'), JSON.stringify(report, null, 2))
if (failed.length > 0) process.exitCode = 1
