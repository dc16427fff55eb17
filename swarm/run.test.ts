import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempDisposable, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, vi } from 'vitest'
import { run } from './run.ts'

const node = (program: string, timeoutMs?: number): Promise<string> =>
  run(process.execPath, ['--eval', program], { input: 'in', ...(timeoutMs && { timeoutMs }) })

const leavesAProcess = `
  const child = require('node:child_process').spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  child.once('spawn', () => console.log(child.pid))
  child.unref()`

it('resolves to what the program prints', async () => {
  expect(await node('process.stdin.pipe(process.stdout)')).toBe('in')
})

it('resolves when the program has ended, and ends a process that it left behind with its pipes', async () => {
  const pid = Number(await node(leavesAProcess))
  expect(pid).toBeGreaterThan(0)
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'))
})

it('tells what a program said that failed', async () => {
  await expect(node('console.error("no model"); process.exitCode = 3')).rejects.toThrow(
    /ended with exit code 3:\nno model/,
  )
})

it('ends a program that hangs, and tells what it said', async () => {
  await expect(node('console.error("waiting"); setInterval(() => {}, 1000)', 3000)).rejects.toThrow(
    /did not end within 3 s:\nwaiting/,
  )
})

it('fails for a program that does not exist', async () => {
  await expect(run('./no-such-program', [])).rejects.toThrow('ENOENT')
})

it('ends the program when Ctrl+C ends this process', async () => {
  await using folder = await mkdtempDisposable(path.join(tmpdir(), 'run-'))
  const file = path.join(folder.path, 'pid')
  const hangs = `require('node:fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1000)`
  const module = fileURLToPath(new URL('./run.ts', import.meta.url))
  const program = `
    import { run } from ${JSON.stringify(module)}
    await run(process.execPath, ['--eval', ${JSON.stringify(hangs)}])`
  const parent = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' })
  const ended = once(parent, 'exit')
  const pid = await vi.waitFor(async () => {
    const found = Number(await readFile(file, 'utf8'))
    expect(found).toBeGreaterThan(0)
    return found
  }, 10_000)
  parent.kill('SIGINT')
  expect(await ended).toEqual([null, 'SIGINT'])
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'))
})
