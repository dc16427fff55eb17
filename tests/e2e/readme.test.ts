import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = await readFile(path.join(root, 'README.md'), 'utf8')
const documented = 'http://127.0.0.1:5000'

/** The examples of one language, as they stand in the README. */
const examples = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, code]) => code!)

let server: PetalsChat
let folder: string
beforeAll(async () => {
  server = await startPetalsChat({ env: await withDefaultModel() })
  // Inside the checkout, so that `import 'openai'` finds the client.
  folder = await mkdtemp(path.join(root, '.cache', 'readme-'))
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Runs an example with the address of the test's server in place of the documented one. */
async function runExample(
  code: string,
  file: string,
  command: readonly [string, ...string[]],
): Promise<string> {
  const place = path.join(folder, file)
  const here = new URL(server.url)
  await writeFile(
    place,
    code.replaceAll(documented, server.url).replaceAll('ws://127.0.0.1:5000', `ws://${here.host}`),
  )
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], [...command.slice(1), place], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (errors += chunk))
    child.on('error', reject)
    child.on('close', (status) =>
      status === 0 ? resolve(output) : reject(new Error(`exit code ${status}: ${errors}`)),
    )
  })
}

describe("the README's examples run as they stand", () => {
  const curls = examples('bash').filter((code) => code.startsWith('curl'))
  const scripts = examples('javascript')
  const pythons = examples('python')

  it('has examples of each kind', () => {
    expect([curls.length, scripts.length, pythons.length]).toEqual([2, 2, 1])
  })

  it('curl on /v1', async () => {
    const answer = JSON.parse(await runExample(curls[0]!, 'chat.sh', ['bash'])) as {
      choices: { message: { content: string } }[]
    }
    expect(answer.choices[0]!.message.content).toContain('Paris')
  })

  it('curl on the HTTP API of the original', async () => {
    expect(JSON.parse(await runExample(curls[1]!, 'generate.sh', ['bash']))).toMatchObject({ ok: true })
  })

  it('JavaScript with the OpenAI client', async () => {
    expect(await runExample(scripts[0]!, 'chat.mjs', [process.execPath])).toContain('Paris')
  })

  it('JavaScript with a WebSocket', async () => {
    expect(await runExample(scripts[1]!, 'socket.mjs', [process.execPath])).toMatch(/\.$/)
  })

  it('Python with the OpenAI client', async () => {
    const python = path.join(root, '.cache', 'python', 'clients', 'bin', 'python')
    expect(await runExample(pythons[0]!, 'chat.py', [python])).toContain('Paris')
  })
})
