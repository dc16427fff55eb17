// node --conditions=petals-chat-source bench/conformance/schemathesis.ts [--examples N] [--seed N]
//
// Sends requests that schemathesis makes from the gateway's own OpenAPI document to every route of it: valid ones, and ones
// that break the schema in one place. Fails on an answer of 5xx, and on an answer that its own document does not describe.
// The model is scripted. Needs a Python 3.10 or newer with venv.
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { createTestGateway } from '../../packages/gateway/src/fixtures/test-gateway.ts'
import { runTool } from './run-tool.ts'

const PACKAGE = 'schemathesis==4.32.5'
const folder = path.resolve(import.meta.dirname, '../../.cache/schemathesis')

const { values } = parseArgs({
  options: {
    examples: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
  },
})

const run = promisify(execFile)
const isPython = (command: string): Promise<boolean> =>
  run(command, ['-c', 'import sys, venv; sys.exit(sys.version_info < (3, 10))']).then(
    () => true,
    () => false,
  )

async function findPython(): Promise<string> {
  for (const candidate of ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'])
    if (await isPython(candidate)) return candidate
  throw new Error(
    'schemathesis needs Python 3.10 or newer with venv, and none was found. Install one (on Debian: apt-get install python3-venv).',
  )
}

async function install(): Promise<string> {
  const program = path.join(folder, 'bin', 'schemathesis')
  const isInstalled = await run(program, ['--version']).then(
    () => true,
    () => false,
  )
  if (isInstalled) return program
  await mkdir(folder, { recursive: true })
  await runTool(await findPython(), ['-m', 'venv', folder])
  await runTool(path.join(folder, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', PACKAGE])
  return program
}

const program = await install()
await using gateway = createTestGateway({ reply: () => 'Paris.' })
const { url } = await gateway.listen()
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
]
const args = [
  ...['run', `${url}/openapi.json`, '--checks', checks.join(','), '--phases', 'examples,coverage,fuzzing'],
  ...['--max-examples', values.examples, '--seed', values.seed, '--continue-on-failure'],
  ...['--report', 'ndjson,junit', '--report-dir', path.join(folder, 'report'), '--warnings', 'off'],
]
try {
  // It keeps its own cache where it is started.
  await runTool(program, args, { cwd: folder })
} catch {
  process.exitCode = 1
}
