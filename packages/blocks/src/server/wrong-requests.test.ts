import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inferenceMethod } from '../../../petals/src/inference/inference-methods.ts'
import { encodeFrameHeader } from '../../../petals/src/rpc/framing.ts'
import { encodeTensor } from '../../../petals/src/tensor/codecs/index.ts'
import { floatTensor } from '../../../petals/src/tensor/tensor.ts'
import { encodeMsgpack } from '../../../petals/src/wire/msgpack-encode.ts'
import { noPrompts, noRows } from '../testing/session-client.ts'
import { ToyServer, toyRequests as requests } from '../fixtures/toy-server.ts'

const toy = new ToyServer()
beforeEach(() => toy.start())
afterEach(() => toy.end())

describe('wrong requests', () => {
  it.each([
    [
      'unknown blocks',
      requests.of({ max_length: 4 }, undefined, 'Toy-hf.3'),
      'Remote peer does not serve Toy-hf.3',
    ],
    ['no length', requests.of({}), 'rpc_inference metadata must contain int max_length, got None'],
    [
      'a length as text',
      requests.of({ max_length: '4' }),
      'rpc_inference metadata must contain int max_length, got 4',
    ],
    [
      'a long session',
      requests.of({ max_length: 9000 }),
      'Cannot allocate KV cache for 9000 tokens, max = 300',
    ],
    [
      'a negative length',
      requests.of({ max_length: -1 }),
      'Cannot allocate KV cache for -1 tokens, max = 300',
    ],
    ['points of nil', requests.of({ max_length: 4, points: null }), /number of points as a number or None/],
    ['an adapter', requests.of({ max_length: 4, active_adapter: 'x/y' }), "'adapter x/y not found'"],
    [
      'two tensors',
      requests.of({ max_length: 4 }, [requests.states(1), noPrompts]),
      /not enough values to unpack/,
    ],
    [
      'row ids of floats',
      requests.of({ max_length: 4 }, [requests.states(1), noPrompts, noPrompts]),
      'hypo ids must be int64, got float32',
    ],
    [
      'too many tokens',
      requests.of({ max_length: 4 }, [requests.states(5), noPrompts, noRows]),
      /^Maximum length exceeded: prefix 0 \+ current 5 exceeds pre-allocated maximum 4/,
    ],
    [
      'a huge batch',
      requests.of({ max_length: 0 }, [{ ...requests.states(0), size: [4e9, 0, 16] }, noPrompts, noRows]),
      /^Task size greater than max_batch_size \(128\)/,
    ],
    [
      'more tokens than a pass has',
      requests.of({ max_length: 200 }, [requests.states(129), noPrompts, noRows]),
      /^Task size greater than max_batch_size \(128\)/,
    ],
    [
      'states of another size',
      requests.of({ max_length: 4 }, [
        encodeTensor(floatTensor(new Float32Array(8), [1, 1, 8])),
        noPrompts,
        noRows,
      ]),
      /hidden states have the shape \[1, 1, 8\]/,
    ],
    [
      'fewer bytes than the shape says',
      requests.of({ max_length: 4 }, [
        { ...requests.states(1), buffer: new Uint8Array(4) },
        noPrompts,
        noRows,
      ]),
      /has 4 bytes instead of 64/,
    ],
    [
      'an unknown compression',
      requests.of({ max_length: 4 }, [{ ...requests.states(1), compression: 77 }, noPrompts, noRows]),
      'Unknown tensor compression 77.',
    ],
    [
      'prompts for other blocks',
      requests.of({ max_length: 4 }, [
        requests.states(1),
        encodeTensor(floatTensor(new Float32Array(48), [3, 1, 1, 16])),
        noRows,
      ]),
      'Received 3 prompts for 2 backends',
    ],
    [
      'a gap',
      requests.of({ max_length: 4, start_from_position: 2 }),
      'prefix_length=0, start_from_position=2',
    ],
    [
      'metadata that is no map',
      { ...requests.of({}), metadata: encodeMsgpack([1]) },
      'The metadata of a request must be a map.',
    ],
    [
      'endless metadata',
      requests.of({ max_length: 4, padding: new Uint8Array(70_000) }),
      'The metadata of a request has more than 65536 bytes.',
    ],
    ['metadata that is no msgpack', { ...requests.of({}), metadata: Uint8Array.of(0xc1, 1, 2) }, /msgpack/],
  ])('%s: the error says what was wrong, and the server goes on', async (_, wrong, message) => {
    await expect(toy.client.ask(wrong)).rejects.toMatchObject({
      remoteMessage: expect.stringMatching(message instanceof RegExp ? message : literal(message)),
    })
    await expect.poll(() => toy.engine.caches.size).toBe(0)
    await toy.expectService()
  })

  const literal = (text: string): RegExp => new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')}$`)

  it('a frame that announces a terabyte ends the call; one that never comes ends it in time', async () => {
    for (const header of [
      encodeFrameHeader({ marker: 0, length: 2 ** 40 }),
      Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0, 1),
    ]) {
      await using stream = await toy.client.raw()
      await stream.write(header)
      expect((await stream.read(9))[0]).toBe(1)
    }
    await using silent = await toy.client.raw()
    await silent.write(encodeFrameHeader({ marker: 0, length: 20_000 }))
    await expect(silent.read(1)).rejects.toThrow()
    await toy.expectService()
    expect(toy.server.status().load.requestBytes).toBe(0)
  })

  it('answers Python trainers in words, in both forms', async () => {
    const method = { ...inferenceMethod, name: 'TransformerConnectionHandler.rpc_backward' }
    await expect(toy.client.rpc.unary(toy.server.peer, method, requests.of({}))).rejects.toThrow(
      /RuntimeError\('This server computes no gradients/,
    )
    const stream = toy.resources.use(
      await toy.client.rpc.openStream(toy.server.peer, { ...method, name: `${method.name}_stream` }),
    )
    await expect(stream.receive()).rejects.toThrow(/allowed_servers/)
  })
})
