import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { vector } from '../../../petals/fixtures/vectors.ts'
import { inferenceMethod } from '../../../petals/src/inference/inference-methods.ts'
import { encodeTensor } from '../../../petals/src/tensor/codecs/index.ts'
import { floatTensor } from '../../../petals/src/tensor/tensor.ts'
import { decodeMsgpack } from '../../../petals/src/wire/msgpack-decode.ts'
import { encodeMsgpack } from '../../../petals/src/wire/msgpack-encode.ts'
import { Tuple } from '../../../petals/src/wire/msgpack-values.ts'
import { decodeExpertInfo, encodeExpertUid } from '../../../petals/src/wire/runtime.ts'
import { infoFields, schemaFields } from '../sessions/info.ts'
import { noPrompts, noRows, outputsOf } from '../testing/session-client.ts'
import { ToyServer, toyLimits, toyRequests as requests } from '../fixtures/toy-server.ts'

const toy = new ToyServer()
beforeEach(() => toy.start())
afterEach(() => toy.end())

describe('sessions', () => {
  it('step, rewind, and skip a step that arrives twice', async () => {
    const stream = await toy.open()
    await stream.send(requests.of({ max_length: 10, step_id: 'a' }, [requests.states(2), noPrompts, noRows]))
    await stream.receive()
    await stream.send(requests.of({ step_id: 'b' }))
    const second = outputsOf(await stream.receive())
    await stream.send(requests.of({ step_id: 'b' }))
    await stream.send(requests.of({ step_id: 'c' }))
    expect(outputsOf(await stream.receive())).not.toEqual(second) // the third token, not the second again
    await stream.send(requests.of({ step_id: 'd', start_from_position: 2 }))
    expect(outputsOf(await stream.receive())).toEqual(second)
    await stream.send(requests.of({}, []))
    await stream.end()
    await expect(stream.receive()).rejects.toMatchObject({ clean: true })
    await expect.poll(() => toy.engine.used).toBe(0)
  })

  it('free their cache when the client leaves, also while they wait and while they compute', async () => {
    toy.engine.stepMs = 200
    const streams = await Promise.all(Array.from({ length: 8 }, () => toy.open()))
    await Promise.all(
      streams.map((stream) => stream.send(requests.of({ max_length: 100, alloc_timeout: 60 }))),
    )
    await expect.poll(() => toy.engine.caches.size).toBe(4)
    for (const stream of streams) stream.abort(new Error('left'))
    await expect.poll(() => toy.engine.caches.size).toBe(0)
    expect(toy.engine.used).toBe(0)
    await expect.poll(() => toy.server.status().activity.sessions).toBe(0)
  })

  it('wait for room as long as the client allows, and say when there is noPrompts', async () => {
    const big = requests.of({ max_length: 300 })
    const holder = await toy.open()
    await holder.send(big)
    await holder.receive()
    await expect(toy.client.ask(big)).rejects.toMatchObject({
      remoteMessage: 'Could not allocate 300 tokens immediately: out of memory',
    })
    await expect(toy.client.ask(requests.of({ max_length: 300, alloc_timeout: 0.2 }))).rejects.toMatchObject({
      remoteMessage: 'Could not allocate 300 tokens within 0.2 seconds',
    })
    await expect(
      toy.client.ask(requests.of({ max_length: 300 }, [requests.states(1, { batch: 2 }), noPrompts, noRows])),
    ).rejects.toMatchObject({
      remoteMessage: 'Could not allocate 600 tokens, max cache size = 400 tokens',
    })
    const waiting = toy.client.ask(requests.of({ max_length: 300, alloc_timeout: 30 }))
    await delay(50)
    await holder[Symbol.asyncDispose]()
    expect((await waiting).tensors).toHaveLength(1)
  })

  it('end after the timeout of a step without an error, and have unique ids', async () => {
    const stream = await toy.open()
    await stream.send(requests.of({ max_length: 4, session_id: 'same' }))
    await stream.receive()
    await expect(toy.client.ask(requests.of({ max_length: 4, session_id: 'same' }))).rejects.toThrow(
      /session id same is not unique/,
    )
    await expect(stream.receive()).rejects.toMatchObject({ clean: true })
    expect(toy.engine.used).toBe(0)
  })

  it('begin within a moment: a silent stream is ended, and a session that has begun is not', async () => {
    const begun = await toy.open()
    await begun.send(requests.of({ max_length: 4 }))
    await begun.receive()
    await using silent = await toy.client.raw()
    await expect(silent.read(1)).rejects.toMatchObject({ clean: true })
    await begun.send(requests.of({}))
    await begun.receive()
  })

  it('end as idle ones do when their room goes to another client', async () => {
    const idle = await toy.open()
    await idle.send(requests.of({ max_length: 300 }))
    await idle.receive()
    for (const { options } of toy.engine.caches) options.onReclaimed!()
    await expect(idle.receive()).rejects.toMatchObject({ clean: true })
    expect(toy.engine.used).toBe(0)
  })

  it('are limited for each peer, and those of others are served', async () => {
    const streams = await Promise.all(Array.from({ length: 60 }, () => toy.open()))
    const answers = await Promise.allSettled(
      streams.map(async (stream) => {
        await stream.send(requests.of({ max_length: 1 }))
        return await stream.receive()
      }),
    )
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(toyLimits.sessionsPerPeer)
    await toy.expectService(await toy.newClient())
  })

  it('take pushes that are more than half of what their sender may have in memory', async () => {
    const stream = await toy.open()
    await stream.send(requests.of({ max_length: 4, session_id: 'pushed' }))
    await stream.receive()
    const long = encodeTensor(
      floatTensor(new Float32Array(750_000), [1, 750_000 / requests.hiddenSize, requests.hiddenSize]),
    )
    const push = { ...inferenceMethod, name: 'TransformerConnectionHandler.rpc_push' }
    await toy.client.rpc.unary(
      toy.server.peer,
      push,
      requests.of({ session_id: 'pushed' }, [long, noPrompts, noRows]),
    )
    await expect(stream.receive()).rejects.toThrow(/Maximum length exceeded/)
    await expect.poll(() => toy.server.status().load.requestBytes).toBe(0)
  })

  it('read only some requests ahead of a slow engine', async () => {
    toy.engine.stepMs = 300
    const stream = await toy.open()
    await stream.send(requests.of({ max_length: 300 }))
    const flood = (async () => {
      for (let i = 0; i < 100; i++)
        await stream.send(requests.of({}, [requests.states(100), noPrompts, noRows]))
    })()
    flood.catch(() => {})
    await delay(600)
    const { requestBytes } = toy.server.status().load
    expect(requestBytes).toBeLessThan(10 * 100 * requests.hiddenSize * 4)
    stream.abort(new Error('done'))
    await expect.poll(() => toy.server.status().load.requestBytes).toBe(0)
  })
})

describe('a chain of servers', () => {
  it.each(['in each step', 'in the first request'])(
    'pushes outputs to the next server, which is named %s',
    async (where) => {
      const [next] = await toy.serve(toy.server.addresses, { start: 2, end: 4 })
      const last = toy.resources.use(await toy.client.rpc.openStream(next.peer, inferenceMethod))
      const first = await toy.open()
      const chain = { next_servers: [new Tuple([next.peer, 'second', 2, 4])] }
      const empty = [requests.states(0), noPrompts, noRows]
      await last.send(requests.of({ max_length: 9, session_id: 'second' }, empty, 'Toy-hf.2 Toy-hf.3'))
      await last.receive()
      const inFirst = where === 'in the first request'
      await first.send(requests.of({ max_length: 9, session_id: 'first', ...(inFirst ? chain : {}) }, empty))
      await first.receive()
      if (inFirst) await last.receive() // the empty step was pushed, too
      await first.send(
        requests.of({ step_id: 's', ...(inFirst ? {} : chain) }, [requests.states(3), noPrompts, noRows]),
      )
      const between = await first.receive()
      const pushed = outputsOf(await last.receive())
      if (!inFirst) await last.send(requests.of({ step_id: 's' }, [between.tensors[0]!, noPrompts, noRows])) // too late: skipped
      await last.send(
        requests.of({ step_id: 't', start_from_position: 0 }, [between.tensors[0]!, noPrompts, noRows]),
      )
      expect(outputsOf(await last.receive())).toEqual(pushed)
    },
  )
})

describe('a pass without a session', () => {
  it('in parts ends when its caller leaves', async () => {
    toy.engine.stepMs = 300
    const method = { ...inferenceMethod, name: 'TransformerConnectionHandler.rpc_forward_stream' }
    const stream = toy.resources.use(await toy.client.rpc.openStream(toy.server.peer, method))
    await stream.send(requests.of({}, [requests.states(2), noPrompts]))
    await stream.end()
    await expect.poll(() => toy.server.status().activity.sessions).toBe(1)
    stream.abort(new Error('left'))
    await expect.poll(() => toy.server.status().activity.sessions).toBe(0)
    expect(toy.engine.steps).toBe(0)
  })
})

describe('what a server tells', () => {
  it('has the bytes of hivemind in rpc_info', () => {
    const fields = infoFields({ version: '2.2.0.post1', dhtClientMode: false, cacheTokensAvailable: 8192 })
    for (const [name, value] of schemaFields(576, 'float32')) fields.set(name, value)
    expect(Buffer.from(encodeMsgpack(fields)).toString('hex')).toBe(
      vector('rpc_info/response').serialized_info_hex,
    )
  })

  it('tells its limits, and what is free', async () => {
    const method = {
      name: 'TransformerConnectionHandler.rpc_info',
      encodeRequest: encodeExpertUid,
      decodeResponse: (bytes: Uint8Array) =>
        decodeMsgpack(decodeExpertInfo(bytes)) as ReadonlyMap<string, unknown>,
    }
    const info = await toy.client.rpc.unary(toy.server.peer, method, 'Toy-hf.1')
    expect(info.get('cache_tokens_available')).toBe(800)
    expect(info.get('max_batch_size')).toBe(128)
    expect(info.get('inference_max_length')).toBe(300)
    expect(info.get('version')).toMatch(/^2\.3\.0\.dev2\+petals\.chat\.0\.1\.0$/)
    await expect(toy.client.rpc.unary(toy.server.peer, method, 'Toy-hf.2')).rejects.toThrow(/does not serve/)
  })
})

describe('the end of a server', () => {
  it('announces it, refuses new sessions, and lets open ones finish', async () => {
    const stream = await toy.open()
    await stream.send(requests.of({ max_length: 4 }))
    await stream.receive()
    const drained = toy.server.drain({ timeoutMs: 10_000 })
    await expect.poll(() => toy.server.status().state).toBe('draining')
    await expect(toy.client.ask(requests.of({ max_length: 4 }))).rejects.toThrow(/Remote peer does not serve/)
    await stream.send(requests.of({}))
    await stream.receive()
    await stream.send(requests.of({}, []))
    await drained
    await toy.server[Symbol.asyncDispose]()
    expect(toy.engine.disposed).toBe(true)
  })
})
