// node --conditions=petals-chat-source bench/grammars.ts [--rounds N] [--tokens N] [--json FILE]
//
// What the form of an answer costs on a swarm: decode steps of SmolLM2 with and without a grammar, alternating, on one private
// swarm; the work for the allowed tokens alone; and how many steps forced tokens save.
import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { TokenGrammars, type Grammar, type Session, type TokenId } from '@petals-chat/engine'
import { seededBits } from '../packages/petals/src/sampling/random.ts'
import { createSampler } from '../packages/petals/src/sampling/sampler.ts'
import { ExactLogits, SelectedLogits } from '../packages/petals/src/tensor/logits.ts'
import { openFolderTokenizer } from '../tests/interop/support/folder-tokenizer.ts'
import { startSwarmEngine } from '../tests/interop/support/swarm-engine.ts'
import { median, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    tokens: { type: 'string', default: '48' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const newTokens = Number(values.tokens)

/** Allows nearly every token at every place: the most work for a step, and nothing is forced. */
const anyText: Grammar = { type: 'gbnf', source: 'root ::= [^\\x00]*' }
/** Each character is a new state, so that nothing is found twice. */
const counted: Grammar = { type: 'regex', pattern: '[^\\0]{1,1000}' }
const person: Grammar = {
  type: 'json-schema',
  schema: {
    type: 'object',
    properties: {
      full_name: { type: 'string', maxLength: 30 },
      year_of_birth: { type: 'integer', minimum: 1900, maximum: 2020 },
      favourite_colour: { enum: ['red', 'green', 'blue'] },
      shipping_address: {
        type: 'object',
        properties: {
          street_and_number: { type: 'string', maxLength: 30 },
          postal_code: { type: 'string', pattern: '^\\d{5}$' },
        },
        required: ['street_and_number', 'postal_code'],
        additionalProperties: false,
      },
    },
    required: ['full_name', 'year_of_birth', 'favourite_colour', 'shipping_address'],
    additionalProperties: false,
  },
}

const { swarm, model, ...resources } = await startSwarmEngine({ model: 'SmolLM2-135M-Instruct' })
const { tokenizer, vocabulary } = await openFolderTokenizer(swarm.modelFolder)
const prompt = tokenizer.encode('Once upon a time, there was a little dragon who', { addSpecialTokens: true })

interface Decoded {
  /** Median time between two tokens, without the first one, which waits for the prompt. */
  readonly ms: number
  /** CPU of this process for each token; the LM head has a process of its own. */
  readonly cpuMs: number
}

/** Decodes some tokens. */
async function decode(session: Session, grammar: Grammar | undefined): Promise<Decoded> {
  await session.truncate(0)
  let cpu: NodeJS.CpuUsage | undefined
  const times: number[] = []
  let before = 0
  for await (const _ of session.generate(prompt, { sampling: { temperature: 0.8, seed: 3 }, grammar })) {
    const now = performance.now()
    if (before > 0) times.push(now - before)
    else cpu = process.cpuUsage()
    before = now
    if (times.length === newTokens) break
  }
  const { user, system } = process.cpuUsage(cpu)
  return { ms: median(times), cpuMs: (user + system) / 1000 / times.length }
}

/** The whole answer of a form. */
async function answer(
  session: Session,
): Promise<{ readonly ms: number; readonly tokens: number; readonly steps: number }> {
  await session.truncate(0)
  const begin = performance.now()
  let tokens = 0
  let steps = 0
  let cached = 0
  for await (const { token } of session.generate(prompt, {
    sampling: { temperature: 0.8, seed: 3 },
    grammar: person,
  })) {
    if (session.tokens.length !== cached) steps++
    cached = session.tokens.length
    if (tokenizer.eosTokens.has(token)) break
    tokens++
  }
  return { ms: performance.now() - begin, tokens, steps }
}

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** CPU of this process to choose each token of a text by random logits: the allowed tokens, if there is a grammar, and the draw. */
function choose(grammar: Grammar | undefined, tokens: readonly TokenId[]): number {
  const matcher = grammar && new TokenGrammars({ tokenizer, vocabulary }).matcher(grammar)
  const sampler = createSampler({ temperature: 0.8, topP: 0.95 }, 3)
  const size = tokenizer.vocabSize
  const random = seededBits(7)
  const noise = Float32Array.from(
    { length: 2 * size },
    () => ((random() + random() + random()) / 2 ** 32) * 6,
  )
  const times = tokens.map((token) => {
    const logits = new ExactLogits(noise.slice(random() % size).subarray(0, size))
    const begin = cpuMs()
    const allowed = matcher?.allowed()
    const history = { tokens: [], answerStart: 0 }
    sampler.sample(allowed ? new SelectedLogits(logits, allowed) : logits, history, allowed)
    const ms = cpuMs() - begin
    matcher?.accept(token)
    return ms
  })
  return rounded(median(times))
}

function vocabularyMs(): number {
  const begin = performance.now()
  new TokenGrammars({ tokenizer, vocabulary }).matcher({ type: 'gbnf', source: 'root ::= "a"' })
  return performance.now() - begin
}

try {
  const forms = { free: undefined, anyText, counted }
  const names = Object.keys(forms) as (keyof typeof forms)[]
  const measured: Record<keyof typeof forms, Decoded[]> = { free: [], anyText: [], counted: [] }
  await using session = await model.openSession({ maxLength: 512 })
  for (const name of names) await decode(session, forms[name])
  for (let round = 0; round < rounds; round++)
    for (const name of names) measured[name].push(await decode(session, forms[name]))
  const medianOf = (name: keyof typeof forms, key: keyof Decoded): number =>
    median(measured[name].map((each) => each[key]))
  const text = tokenizer.encode(
    'Once upon a time, there was a little dragon who lived in a “cave” near the sea. '.repeat(4),
  )
  const report = {
    machine: `${cpus()[0]?.model}, ${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}`,
    msPerToken: Object.fromEntries(names.map((name) => [name, rounded(medianOf(name, 'ms'))])),
    cpuMsPerToken: Object.fromEntries(names.map((name) => [name, rounded(medianOf(name, 'cpuMs'))])),
    vocabularyMs: rounded(vocabularyMs()),
    chooseCpuMs: Object.fromEntries(names.map((name) => [name, choose(forms[name], text)])),
    person: await answer(session),
  }
  console.log(JSON.stringify(report, null, 2))
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(report, null, 2))
} finally {
  await resources[Symbol.asyncDispose]()
}
