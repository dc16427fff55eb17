import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { silentLogger } from '@petals-chat/engine'
import { usableLibraries, type UsableLibraries } from '@petals-chat/ggml'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createFilter } from '../../sampling/filters.ts'
import { seededBits } from '../../sampling/random.ts'
import { bestToken, topK } from '../../sampling/ranking.ts'
import type { FloatDtype } from '../../tensor/dtype.ts'
import { createSampler } from '../../sampling/sampler.ts'
import { RowLogits, SelectedLogits, stretchTokens, type Logits } from '../../tensor/logits.ts'
import { floatTensor } from '../../tensor/tensor.ts'
import { LmHead } from './lm-head.ts'
import { ScreeningProcess, ScreeningProcessEndedError } from './screening-process.ts'
import { dot } from '../dot.ts'
import { WeightMatrix, type StoredTensor } from '../weight-matrix.ts'

const rows = 1500
const bits = seededBits(5)
const random = (): number => bits() / 2 ** 32
const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

let folder: string
beforeAll(async () => (folder = await mkdtemp(path.join(tmpdir(), 'lm-head-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Returns rows of very different magnitude, with a few outliers in each, and one row of zeros, like trained matrices. */
async function storeWeights(name: string, columns: number, dtype: FloatDtype): Promise<StoredTensor> {
  const weights = Float32Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns)
    return row === 17 ? 0 : gaussian() * (0.02 + (row % 13) * 0.01) * (random() < 0.01 ? 8 : 1)
  })
  const file = path.join(folder, `${name}.bin`)
  await writeFile(file, floatTensor(weights, [rows, columns], dtype).data)
  return { path: file, offset: 0, dtype, shape: [rows, columns] }
}

async function makeHead(name: string, columns: number, dtype: FloatDtype) {
  const tensor = await storeWeights(name, columns, dtype)
  using matrix = new WeightMatrix(tensor)
  const exactRows = matrix.read(0, rows)
  const full = (input: Float32Array): Logits => {
    const values = Float64Array.from({ length: rows }, (_, r) =>
      dot(input, exactRows.subarray(r * columns, (r + 1) * columns)),
    )
    return new RowLogits(values)
  }
  return { head: await LmHead.create(tensor, { folder: path.join(folder, name), threads: 1 }), full }
}

const estimatesOf = (logits: Logits): number[] =>
  Array.from({ length: logits.size }, (_, token) => logits.estimate(token))

/** Returns hidden states of several kinds: noise, outliers, and a few features far above the rest, as in real models. */
const inputs = (columns: number, count: number): Float32Array[] =>
  Array.from({ length: count }, (_, i) =>
    Float32Array.from({ length: columns }, (__, column) => {
      const outlier = i % 4 === 1 && random() < 0.02 ? 30 : 1
      const feature = i % 4 === 2 && column % 50 === 7 ? 200 : 1
      return gaussian() * (1 + (i % 3) * 3) * outlier * feature
    }),
  )

describe.each([
  ['float32', 576],
  ['bfloat16', 2048],
  ['float16', 96],
  ['float32', 45],
] as const)('LmHead on %s weights of width %i', (dtype, columns) => {
  it('keeps every error within its bound', async () => {
    const { head, full } = await makeHead(`bound-${dtype}-${columns}`, columns, dtype)
    await using _ = head
    for (const input of inputs(columns, 8)) {
      const [logits] = await head.logits([input])
      const exact = full(input)
      let worst = 0
      for (let token = 0; token < rows; token++) {
        const margin = logits!.margin(token)
        const error = Math.abs(logits!.estimate(token) - exact.exact(token))
        worst = Math.max(worst, margin === 0 ? error : error / margin)
        const ceiling = logits!.ceilings[Math.floor(token / stretchTokens)]!
        expect(logits!.estimate(token) + margin).toBeLessThanOrEqual(ceiling)
      }
      expect(worst).toBeLessThanOrEqual(1)
      // Fails for a bound that holds only because it is far too wide.
      expect(worst).toBeGreaterThan(0.02)
    }
  })

  it('chooses the same tokens as the full product', async () => {
    const { head, full } = await makeHead(`choice-${dtype}-${columns}`, columns, dtype)
    await using _ = head
    const batch = inputs(columns, 12)
    const screened = await head.logits(batch)
    batch.forEach((input, index) => {
      const exact = full(input)
      const logits = screened[index]!
      const ids = (list: readonly { readonly token: number }[]): number[] => list.map(({ token }) => token)
      expect(bestToken(logits).token).toBe(bestToken(exact).token)
      expect(ids(topK(logits, 40))).toEqual(ids(topK(exact, 40)))
      const nucleus = (of: Logits): number[] => {
        const filter = createFilter(of, { temperature: 2, topP: 0.9 }, bestToken(of))
        return Array.from({ length: of.size }, (_, token) => token).filter((token) =>
          filter({ token, logit: of.exact(token) }),
        )
      }
      expect(nucleus(logits)).toEqual(nucleus(exact))
    })
  })
})

it.each([3, 40, 700])('chooses among %i allowed tokens as the full product does', async (count) => {
  const columns = 96
  const { head, full } = await makeHead(`allowed-${count}`, columns, 'bfloat16')
  await using _ = head
  const batch = inputs(columns, 8)
  const screened = await head.logits(batch)
  batch.forEach((input, index) => {
    const allowed = Int32Array.from({ length: count }, () => bits() % rows).sort()
    const distinct = allowed.filter((token, place) => token !== allowed[place - 1])
    const expected = new SelectedLogits(full(input), distinct)
    const params = {
      temperature: 2,
      topP: 0.9,
      topK: 300,
      repetitionPenalty: 1.3,
      logitBias: new Map([[distinct[0]!, 2]]),
    }
    const history = { tokens: [distinct.at(-1)!, 5, 17], answerStart: 1 }
    // The same draws in the pass over all tokens, and in the product of these rows alone.
    for (const logits of [new SelectedLogits(screened[index]!, distinct), head.logitsOf(input, distinct)]) {
      expect(bestToken(logits).token).toBe(bestToken(expected).token)
      const draws = (of: Logits): number[] =>
        [1, 2, 3, 4].map((seed) => createSampler(params, seed).sample(of, history, distinct))
      expect(draws(logits)).toEqual(draws(expected))
      expect(draws(logits).every((token) => distinct.includes(token))).toBe(true)
    }
  })
})

it('shares one pass between concurrent calls, and returns to each its own rows', async () => {
  const { head, full } = await makeHead('shared', 96, 'float32')
  await using _ = head
  const batch = inputs(96, 6)
  const passes = vi.spyOn(ScreeningProcess.prototype, 'run')
  const early = batch.slice(0, 2).map((input) => head.logits([input]))
  await setImmediate()
  // The first two share a pass, and the others, which came during it, the next one.
  const late = batch.slice(2).map((input) => head.logits([input]))
  const answers = await Promise.all([...early, ...late])
  expect(passes.mock.calls.map(([request]) => request.inputs.length / 96)).toEqual([2, 4])
  passes.mockRestore()
  answers.forEach(([logits], index) => {
    expect(bestToken(logits!).token).toBe(bestToken(full(batch[index]!)).token)
  })
  expect(await head.logits([])).toEqual([])
  const [again] = await head.logits([batch[0]!])
  expect(estimatesOf(again!)).toEqual(estimatesOf(answers[0]![0]!))
})

it('repeats a pass when its process dies, while idle and during a pass', async () => {
  const { head } = await makeHead('dies', 64, 'float32')
  await using _head = head
  const given = inputs(64, 2)
  const expected = await head.logits(given)
  for (const when of ['while idle', 'during a pass']) {
    const pid = head.pid!
    const early = when === 'while idle' ? undefined : head.logits(given)
    process.kill(pid, 'SIGKILL')
    const answers = [await early, await head.logits(given)]
    for (const logits of answers)
      expect((logits ?? expected).map(estimatesOf)).toEqual(expected.map(estimatesOf))
    expect(head.pid).not.toBe(pid)
  }
})

it('finishes the current passes when it is closed, and then refuses calls', async () => {
  const { head, full } = await makeHead('closing', 96, 'float32')
  const [input] = inputs(96, 1)
  const pending = head.logits([input!])
  await head[Symbol.asyncDispose]()
  await head[Symbol.asyncDispose]()
  const [logits] = await pending
  expect(Math.abs(logits!.estimate(3) - full(input!).exact(3))).toBeLessThanOrEqual(logits!.margin(3))
  await expect(head.logits([input!])).rejects.toThrow('unloaded')
})

describe('the file of 8-bit weights', () => {
  const open = async (tensor: StoredTensor, place: string, signal?: AbortSignal): Promise<string[]> => {
    await using _ = await LmHead.create(tensor, { folder: place, threads: 1, signal })
    return readdir(place)
  }

  it('is created once, and again when the weights change', async () => {
    const tensor = await storeWeights('changing', 96, 'float32')
    const place = path.join(folder, 'changing')
    const [first, ...others] = await open(tensor, place)
    expect(others).toEqual([])
    const { ino } = await stat(path.join(place, first!))
    expect(await open(tensor, place)).toEqual([first])
    expect((await stat(path.join(place, first!))).ino).toBe(ino)

    await utimes(tensor.path, new Date(), new Date(Date.now() + 5000))
    const [second, ...rest] = await open(tensor, place)
    expect(rest).toEqual([])
    expect(second).not.toBe(first)
  })

  it('is removed after a month without use, when another one is created', async () => {
    const place = path.join(folder, 'unused')
    const [old] = await open(await storeWeights('unused-old', 96, 'float32'), place)
    const names = await open(await storeWeights('unused-recent', 96, 'float32'), place)
    const recent = names.find((name) => name !== old)
    const longAgo = new Date(Date.now() - 31 * 24 * 60 * 60 * 1000)
    await utimes(path.join(place, old!), longAgo, longAgo)
    const left = await open(await storeWeights('unused-new', 96, 'float32'), place)
    expect(left.length).toBe(2)
    expect(left).toContain(recent)
    expect(left).not.toContain(old)
  })

  it('can be created by two processes at once; a truncated one is not used', async () => {
    const tensor = await storeWeights('raced', 96, 'float32')
    const place = path.join(folder, 'raced')
    const [names] = await Promise.all([open(tensor, place), open(tensor, place), open(tensor, place)])
    await writeFile(path.join(place, names[0]!), 'cut off')
    expect(await open(tensor, place)).toEqual([names[0]])
  })

  it('leaves no file behind when its creation is aborted', async () => {
    const tensor = await storeWeights('stopped', 2048, 'float32')
    const place = path.join(folder, 'stopped')
    const controller = new AbortController()
    const reason = new Error('enough')
    const making = LmHead.create(tensor, {
      folder: place,
      threads: 1,
      signal: controller.signal,
      onProgress: ({ done }) => done >= 50 && controller.abort(reason),
    })
    await expect(making).rejects.toBe(reason)
    expect(await readdir(place)).toEqual([])
  })

  it('says what to do when the disk refuses it', async () => {
    const tensor = await storeWeights('nowhere', 96, 'float32')
    const making = LmHead.create(tensor, { folder: path.join(tensor.path, 'below-a-file'), threads: 1 })
    await expect(making).rejects.toThrow(/LM head .* can't be kept in .*below-a-file: .*another cache folder/)
  })

  it('is not created from truncated weights', async () => {
    const tensor = await storeWeights('short', 96, 'float32')
    const making = LmHead.create({ ...tensor, offset: 4 }, { folder, threads: 1 })
    await expect(making).rejects.toThrow(/short\.bin ends in the middle/)
  })
})

describe('without usable libraries', () => {
  /** Opens a head with these libraries, and tells its choices and the warnings. */
  async function open(libraries: UsableLibraries) {
    const tensor = await storeWeights('fallback', 96, 'bfloat16')
    const warnings: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) }
    await using head = await LmHead.create(tensor, { folder, threads: 2, libraries, logger })
    using matrix = new WeightMatrix(tensor)
    const batch = inputs(96, 6)
    const chosen = (await head.logits(batch)).map((logits) => bestToken(logits).token)
    const expected = batch.map((input) => {
      const exact = Array.from({ length: rows }, (_, row) => matrix.dot(row, input))
      return exact.indexOf(Math.max(...exact))
    })
    expect(chosen).toEqual(expected)
    return warnings
  }

  it('JavaScript chooses the same tokens, and a warning says why', async () => {
    const reason = "llama.cpp's libraries are not installed for linux on x64"
    expect(await open({ folder: undefined, reason })).toEqual([{ reason }])
  })

  it('it does so where the libraries can not be loaded', async () => {
    const [warning] = await open({ folder: path.join(folder, 'no-libraries') })
    expect(warning).toMatchObject({ reason: expect.stringMatching(/no-libraries/) as string })
  })

  it.each([1, 3, 8])(
    'it does so where the kernel for %i positions computes something else',
    async (faulty) => {
      const { run } = ScreeningProcess.prototype
      const passes: number[] = []
      const spy = vi.spyOn(ScreeningProcess.prototype, 'run').mockImplementation(async function (
        this: ScreeningProcess,
        request,
      ) {
        const answer = await run.call(this, request)
        const positions = request.inputs.length / 96
        // The fallback checks all in one pass.
        if (positions === faulty && !passes.includes(positions))
          for (const { codes } of answer) codes.fill(32_000)
        passes.push(positions)
        return answer
      })
      try {
        const [warning] = await open(usableLibraries())
        expect(warning).toMatchObject({
          reason: expect.stringMatching(/exceed .* with llama\.cpp/) as string,
        })
      } finally {
        spy.mockRestore()
      }
    },
  )

  it.each([
    [1, 0],
    [2, 1],
  ])('a process that ends %i times while it loads makes %i warnings', async (ends, warnings) => {
    const { start } = ScreeningProcess
    let started = 0
    const spy = vi.spyOn(ScreeningProcess, 'start').mockImplementation(async (setup, options) => {
      if (++started <= ends) throw new ScreeningProcessEndedError('It has ended (SIGKILL).')
      return await start.call(ScreeningProcess, setup, options)
    })
    try {
      const found = await open(usableLibraries())
      expect(found).toEqual(Array(warnings).fill({ reason: expect.stringContaining('SIGKILL') as string }))
    } finally {
      spy.mockRestore()
    }
  })

  it('there is no warning with the libraries of this machine', async () => {
    expect(await open(usableLibraries())).toEqual([])
  })

  it('a damaged file is told, and how to mend it', async () => {
    const tensor = await storeWeights('damaged', 96, 'float32')
    const place = path.join(folder, 'damaged')
    await using made = await LmHead.create(tensor, { folder: place, threads: 1 })
    const [name] = await readdir(place)
    const file = path.join(place, name!)
    const bytes = await readFile(file)
    await writeFile(file, bytes.fill(0x3c, 0, made.memoryBytes / 2))
    await expect(LmHead.create(tensor, { folder: place, threads: 1 })).rejects.toThrow(
      /exceed their bound.*damaged.*delete it/s,
    )
  })
})
