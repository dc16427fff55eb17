// node --conditions=petals-chat-source bench/codecs.ts
//
// The hand-written protobuf and msgpack decoders beside libraries, on messages as servers send them and on hostile ones.
// The results are in docs/decisions/2026-11-28-hand-written-codecs.md.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decode, ExtensionCodec } from '@msgpack/msgpack'
import protobufjs from 'protobufjs'
import { hex, vector } from '../packages/petals/fixtures/vectors.ts'
import { decodeFindResponse, encodeFindResponse } from '../packages/petals/src/wire/dht.ts'
import { decodeMsgpack } from '../packages/petals/src/wire/msgpack-decode.ts'
import { encodeMsgpack } from '../packages/petals/src/wire/msgpack-encode.ts'
import { DhtDictionary } from '../packages/petals/src/wire/msgpack-values.ts'
import { decodeExpertResponse, encodeExpertResponse } from '../packages/petals/src/wire/runtime.ts'

type Decoder = (bytes: Uint8Array) => unknown

const extensionCodec = new ExtensionCodec()
for (const type of [0x40, 0x50, 0x51]) {
  const decodeExtension = (data: Uint8Array): unknown => decode(data, { extensionCodec })
  extensionCodec.register({ type, encode: () => null, decode: decodeExtension })
}
const declared = (file: string, name: string): protobufjs.Type => {
  const url = new URL(`../packages/petals/src/wire/${file}.proto`, import.meta.url)
  return protobufjs.parse(readFileSync(url, 'utf8')).root.lookupType(name)
}
const responseType = declared('runtime', 'ExpertResponse')
const findType = declared('dht', 'FindResponse')

const msgpack: Readonly<Record<string, Decoder>> = {
  ours: decodeMsgpack,
  '@msgpack/msgpack': (bytes) => decode(bytes, { extensionCodec }),
}
const responses: Readonly<Record<string, Decoder>> = {
  ours: decodeExpertResponse,
  protobufjs: (bytes) => responseType.decode(bytes),
}
const finds: Readonly<Record<string, Decoder>> = {
  ours: decodeFindResponse,
  protobufjs: (bytes) => findType.decode(bytes),
}

const noMetadata = new Uint8Array(0)
const outputs = (tokens: number): Uint8Array => {
  const buffer = new Uint8Array(tokens * 8192 * 2)
  const tensor = { buffer, size: [1, tokens, 8192], dtype: 'bfloat16', compression: 0, chunks: 1 }
  return encodeExpertResponse({ tensors: [tensor], metadata: noMetadata })
}
const serverInfo = hex(vector('serverinfo/full').hex)
const servers = (count: number): Uint8Array => {
  const entries = Array.from({ length: count }, (_, i) => ({
    subkey: `QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MG${String(i).padStart(3, '1')}`,
    value: serverInfo,
    expirationTime: 1.7e9 + i,
  }))
  return encodeMsgpack(new DhtDictionary(entries))
}
const found = {
  type: 2,
  value: servers(3),
  expirationTime: 1.7e9,
  nearestNodeIds: Array.from({ length: 20 }, (_, i) => new Uint8Array(20).fill(i)),
  nearestPeerIds: Array.from({ length: 20 }, (_, i) => new Uint8Array(34).fill(i)),
}
const findResponse = encodeFindResponse({ results: new Array(80).fill(found), nodeId: new Uint8Array(20) })

interface Case {
  readonly decoders: Readonly<Record<string, Decoder>>
  readonly bytes: Uint8Array
}

const honest: Readonly<Record<string, Case>> = {
  'outputs of a decode step, 16 KiB': { decoders: responses, bytes: outputs(1) },
  'outputs of a prefill, 2 MiB': { decoders: responses, bytes: outputs(128) },
  'FindResponse of 80 keys': { decoders: finds, bytes: findResponse },
  ServerInfo: { decoders: msgpack, bytes: serverInfo },
  'dictionary of 256 servers': { decoders: msgpack, bytes: servers(256) },
}

const repeated = (text: string, count: number): Uint8Array => hex(text.repeat(count))
const neighbours = repeated('2200', 2_000_000)
const hostile: Readonly<Record<string, Case>> = {
  '100,000 nested arrays': { decoders: msgpack, bytes: hex('91'.repeat(100_000) + 'c0') },
  '40 nested arrays that announce 30 million elements each': {
    decoders: msgpack,
    bytes: repeated('dd01c9c380', 40),
  },
  '4 million empty maps': { decoders: msgpack, bytes: hex('dd003d0900' + '80'.repeat(4_000_000)) },
  'a map with the key __proto__': { decoders: msgpack, bytes: hex('81a95f5f70726f746f5f5f01') },
  '2 million empty neighbours': {
    decoders: finds,
    bytes: Buffer.concat([hex('1280' + '92f401'), neighbours]),
  },
}

/** The shortest mean of several rounds, in which the decoders take turns. */
function measure({ decoders, bytes }: Case): string {
  const best = new Map<string, number>()
  for (let round = 0; round < 7; round++) {
    for (const [name, decoder] of Object.entries(decoders)) {
      const startedAt = performance.now()
      let count = 0
      for (; performance.now() - startedAt < 120; count++) decoder(bytes)
      const microseconds = ((performance.now() - startedAt) * 1000) / count
      best.set(name, Math.min(best.get(name) ?? Infinity, microseconds))
    }
  }
  return [...best].map(([name, microseconds]) => `${name} ${microseconds.toFixed(2)} µs`).join(', ')
}

/** Decodes one hostile message, in a process of its own: some decoders do not survive it. */
function attack(name: string, decoderName: string): string {
  const { decoders, bytes } = hostile[name]!
  const before = process.memoryUsage().rss
  const startedAt = performance.now()
  let result = 'accepted'
  try {
    decoders[decoderName]!(bytes)
  } catch (error) {
    result = String(error).slice(0, 80)
  }
  const megabytes = Math.round((process.memoryUsage().rss - before) / 2 ** 20)
  return `${result} (${Math.round(performance.now() - startedAt)} ms, ${megabytes} MB)`
}

const [name, decoderName] = process.argv.slice(2)
if (name !== undefined && decoderName !== undefined) console.log(attack(name, decoderName))
else {
  for (const [each, message] of Object.entries(honest)) console.log(`${each}: ${measure(message)}`)
  for (const [each, { decoders }] of Object.entries(hostile)) {
    for (const decoder of Object.keys(decoders)) {
      const flags = ['--conditions=petals-chat-source', '--max-old-space-size=1024']
      const args = [...flags, fileURLToPath(import.meta.url), each, decoder]
      const { stdout, signal } = spawnSync(process.execPath, args, { encoding: 'utf8' })
      console.log(`${each}: ${decoder}: ${signal ? `the process ended (${signal})` : stdout.trim()}`)
    }
  }
}
