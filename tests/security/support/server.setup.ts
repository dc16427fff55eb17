import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestProject } from 'vitest/node'
import { startPetalsChat, withDefaultModel } from '../../e2e/support/petals-chat.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of one `petals-chat serve` for all files of this project, without a slash at the end. */
    readonly serverUrl: string
  }
}

/** A small context, so that the model needs little memory beside other tests; with the tool that fetches pages. */
const config =
  'llama: { sequences: 4, contextLength: 256, threads: 1 }\ntools: { builtIn: { fetch: true } }\n'

/** Starts the built program as its users do, once for all files; the model loads in the background. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-security-'))
  const file = path.join(folder, 'petals-chat.yaml')
  await writeFile(file, config)
  const server = await startPetalsChat({
    args: ['--config', file],
    env: await withDefaultModel(),
    untilReady: false,
  })
  project.provide('serverUrl', server.url)
  return async () => {
    await server[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}
