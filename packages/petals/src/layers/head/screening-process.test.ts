import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findLibraries } from '@petals-chat/ggml'
import { run } from '../../../../../swarm/run.ts'
import { layoutOf } from './quantized-matrix.ts'
import { quantize } from './quantized-vector.ts'
import { prepareScreeningProcess, ScreeningProcess, ScreeningProcessEndedError } from './screening-process.ts'

const layout = layoutOf(16, 64)
let folder: string
let setup: Parameters<typeof ScreeningProcess.start>[0]

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'screening-'))
  const file = path.join(folder, 'head.bin')
  const bytes = new Uint8Array(layout.byteLength)
  // 127 steps of a power of two: exact in 8 bits.
  const facts = quantize(new Float32Array(64).fill(127 / 256), bytes)
  for (let row = 1; row < 16; row++) bytes.copyWithin(row * layout.rowBytes, 0, layout.rowBytes)
  bytes.set(new Uint8Array(new Float32Array(16).fill(facts.unit).buffer), layout.units)
  await writeFile(file, bytes)
  const largestNorm = Math.sqrt(facts.squaredNorm)
  setup = { path: file, layout, largestNorm, threads: 1, libraries: findLibraries()!.folder }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const request = () => ({ inputs: new Float32Array(128).fill(127 / 64) })

/** Returns the arguments of a Node process that runs `script` with `ScreeningProcess` and `setup` defined. */
const nodeArguments = (script: string): string[] => [
  '--conditions=petals-chat-source',
  '--input-type=module',
  '--eval',
  `import { setTimeout as delay } from 'node:timers/promises'
   import { ScreeningProcess, prepareScreeningProcess } from ${JSON.stringify(new URL('screening-process.ts', import.meta.url).href)}
   const setup = ${JSON.stringify(setup)}
   const inputs = () => new Float32Array(64).fill(1)
   ${script}`,
]

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it('multiplies each position with all rows', async () => {
  await using screening = await ScreeningProcess.start(setup)
  const screened = await screening.run(request())
  expect(screened.length).toBe(2)
  for (const { codes, peaks, step, rounding, inputNorm } of screened) {
    expect(codes.length).toBe(16)
    for (const code of codes)
      expect(Math.abs(code * step - (64 * 127 ** 2) / (256 * 64))).toBeLessThanOrEqual(rounding)
    expect([...peaks]).toEqual([codes[0]])
    expect(inputNorm).toBeCloseTo((8 * 127) / 64, 4)
  }
})

it("rejects with the reason if the weights can't be loaded", async () => {
  const starting = ScreeningProcess.start({ ...setup, path: path.join(folder, 'none.bin') })
  await expect(starting).rejects.toThrow(/none\.bin/)
})

it('rejects with the reason of an abort', async () => {
  const controller = new AbortController()
  const starting = ScreeningProcess.start(setup, { signal: controller.signal })
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(starting).rejects.toBe(reason)
})

it('rejects calls after its end, and does not hang', async () => {
  const screening = await ScreeningProcess.start(setup)
  await screening[Symbol.asyncDispose]()
  await expect(screening.run(request())).rejects.toThrow('has ended')
})

it('reports how its process ended during a pass', async () => {
  await using screening = await ScreeningProcess.start(setup)
  process.kill(screening.pid!, 'SIGSTOP') // otherwise it might answer before it is killed
  const answer = screening.run(request())
  process.kill(screening.pid!, 'SIGKILL')
  await expect(answer).rejects.toThrow(ScreeningProcessEndedError)
  await expect(screening.run(request())).rejects.toThrow('has ended (SIGKILL)')
  expect(screening.pid).toBeUndefined()
})

it('ignores signals that a terminal or a service manager sends to all processes', async () => {
  await using screening = await ScreeningProcess.start(setup)
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) {
    process.kill(screening.pid!, signal)
    expect((await screening.run(request())).length).toBe(2)
  }
})

it.runIf(process.platform === 'linux')(
  'gets no secrets, and as many threads as there are cores',
  async () => {
    const script = `
    prepareScreeningProcess()
    const screening = await ScreeningProcess.start(setup)
    const { readFile } = await import('node:fs/promises')
    process.stdout.write(await readFile('/proc/' + screening.pid + '/environ', 'utf8'))
  `
    const environ = await run(process.execPath, nodeArguments(script), { env: { HF_TOKEN: 'hf_secret' } })
    expect(environ).toMatch(/UV_THREADPOOL_SIZE=([4-9]|\d\d)/)
    expect(environ).not.toContain('hf_secret')
  },
)

it('leaves native code out of the process that starts it', async () => {
  const script = `
    await import(${JSON.stringify(new URL('../../index.ts', import.meta.url).href)})
    await using screening = await ScreeningProcess.start(setup)
    await screening.run({ inputs: inputs() })
    process.report.excludeNetwork = true
    process.stdout.write(process.report.getReport().sharedObjects.join('\\n'))
  `
  const loaded = await run(process.execPath, nodeArguments(script))
  expect(loaded).not.toBe('')
  expect(loaded).not.toMatch(/koffi|ggml|\.node$/im)
})

it.runIf(process.platform === 'linux')('says why it can not be started', async () => {
  const script = `
    const { closeSync, openSync } = await import('node:fs')
    const files = []
    try { for (;;) files.push(openSync('/dev/null')) } catch {}
    closeSync(files.pop()) // to find the libraries
    prepareScreeningProcess()
    const { message } = await ScreeningProcess.start(setup).catch((error) => error)
    await delay(1)
    process.stdout.write(message)
  `
  const limited = ['-c', 'ulimit -n 64 && exec "$@"', 'sh', process.execPath, ...nodeArguments(script)]
  expect(await run('/bin/sh', limited)).toMatch(/could not be started: .*EMFILE/)
})

it('does not keep the program alive', async () => {
  const script = `
    prepareScreeningProcess()
    const screening = await ScreeningProcess.start(setup)
    const [{ codes, step }] = await screening.run({ inputs: inputs() })
    process.stdout.write(String(Math.round(codes[0] * step)))
    prepareScreeningProcess()
  `
  expect(await run(process.execPath, nodeArguments(script))).toBe('32')
})

it.each(['process.exit(0)', "process.kill(process.pid, 'SIGKILL')"])(
  'ends with the program, even during a load: %s',
  async (end) => {
    const script = `
      const loading = ScreeningProcess.start(setup)
      loading.catch(() => {})
      const idle = await ScreeningProcess.start(setup)
      process.stdout.write(String(idle.pid))
      void ScreeningProcess.start(setup)
      await delay(30)
      ${end}
    `
    const child = spawn(process.execPath, nodeArguments(script), { stdio: ['ignore', 'pipe', 'inherit'] })
    const [output] = (await once(child.stdout, 'data')) as [Buffer]
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect([code, signal]).toEqual(end.includes('exit') ? [0, null] : [null, 'SIGKILL'])
    await expect.poll(() => isAlive(Number(String(output)))).toBe(false)
  },
)

it('200 starts and aborted loads at random moments do not disturb the program', async () => {
  const script = `
    let tokens = 0
    let running = true
    const stream = (async () => { while (running) { await delay(2); tokens++ } })()
    let loaded = 0
    let aborted = 0
    const one = async () => {
      prepareScreeningProcess()
      const stop = new AbortController()
      const timer = setTimeout(() => stop.abort(), Math.random() * 200)
      try {
        const screening = await ScreeningProcess.start(setup, { signal: stop.signal })
        loaded++
        await screening[Symbol.asyncDispose]()
      } catch (error) {
        if (error !== stop.signal.reason) throw error
        aborted++
      }
      clearTimeout(timer)
    }
    const row = async () => { for (let i = 0; i < 50; i++) await one() }
    await Promise.all([row(), row(), row(), row()])
    running = false
    await stream
    process.stdout.write(JSON.stringify({ sum: loaded + aborted, aborted, tokens }))
  `
  const outcome = JSON.parse(await run(process.execPath, nodeArguments(script))) as Record<string, number>
  expect(outcome['sum']).toBe(200)
  expect(outcome['aborted']).toBeGreaterThan(0)
  expect(outcome['tokens']).toBeGreaterThan(0)
})

it('starts another spare process if the first one died', async () => {
  prepareScreeningProcess()
  await using screening = await ScreeningProcess.start(setup)
  prepareScreeningProcess()
  await using other = await ScreeningProcess.start(setup)
  expect(other.pid).not.toBe(screening.pid)
  expect((await other.run(request())).length).toBe(2)
})

it.runIf(process.platform === 'linux')('ends the spare process if a load fails before using it', async () => {
  const script = `
    prepareScreeningProcess()
    const { readFile } = await import('node:fs/promises')
    const { loadPetalsModel } = await import(${JSON.stringify(new URL('../../model/load-model.ts', import.meta.url).href)})
    const openFiles = () => Promise.reject(new Error('no files'))
    const connector = { get: () => Promise.reject(new Error('no swarm')) }
    await loadPetalsModel({ source: 'none' }, { openFiles, connector, config: {} }).catch(() => {})
    const children = async () => (await readFile('/proc/self/task/' + process.pid + '/children', 'utf8')).trim()
    while ((await children()) !== '') await delay(10)
    process.stdout.write('none left')
  `
  expect(await run(process.execPath, nodeArguments(script))).toBe('none left')
})
