import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createArchive, parseArchive, type ArchivedPreset } from './chat-archive.ts'
import { numberFields } from './settings-form.ts'
import type { ToolCall, ToolRound } from './tool-calls.ts'
import { sides, type Chat, type ChatSettings, type Message, type MessageStatus } from './types.ts'

/** Optional fields are absent or have a value: JSON has no `undefined`. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }, needed: (keyof T & string)[] = []) =>
  fc.record(fields, { requiredKeys: needed }) as fc.Arbitrary<T>

const words = fc.string({ unit: 'grapheme', maxLength: 40 })
const count = fc.nat()
const time = fc.integer({ min: 0, max: 4e12 })
const figure = fc.double({ min: 0.001, max: 1e6, noNaN: true })
const peer = { peer: words, publicName: words }

const settings = record<ChatSettings>({
  ...Object.fromEntries(
    numberFields.map(({ key, min, max, whole }) => [
      key,
      whole ? fc.integer({ min, max }) : fc.double({ min: min || 0.001, max, noNaN: true }),
    ]),
  ),
  systemPrompt: words,
  stop: fc.array(words, { maxLength: 4 }),
})
const { systemPrompt: _, ...none } = { systemPrompt: undefined }

const call = record<ToolCall>(
  {
    id: words,
    name: words,
    arguments: words,
    state: fc.constantFrom('done', 'failed', 'denied', 'stopped'),
    title: words,
    server: words,
    readOnly: fc.boolean(),
    startedAt: time,
    elapsedMs: figure,
    result: words,
    truncated: fc.boolean(),
  },
  ['id', 'name', 'arguments', 'state'],
)
const round = record<ToolRound>(
  { content: words, reasoning: words, calls: fc.array(call, { maxLength: 2 }), limit: count },
  ['content', 'calls'],
)

const message = (id: string, chatId: string, earlier: readonly string[]): fc.Arbitrary<Message> =>
  record<Message>(
    {
      id: fc.constant(id),
      chatId: fc.constant(chatId),
      parentId: fc.constantFrom(null, ...earlier),
      role: fc.constantFrom('user', 'assistant'),
      content: words,
      reasoning: words,
      rounds: fc.array(round, { maxLength: 2 }),
      calls: fc.array(call, { maxLength: 2 }),
      attachments: fc.array(record({ id: words, name: words, text: words }, ['id', 'name', 'text']), {
        minLength: 1,
        maxLength: 3,
      }),
      createdAt: time,
      status: fc.constantFrom<MessageStatus>('done', 'stopped', 'length', 'interrupted'),
      model: words,
      error: record(
        {
          kind: fc.constantFrom('network', 'context-length', 'capacity', 'unavailable', 'refused', 'server'),
          message: words,
          requestId: words,
        },
        ['kind', 'message'],
      ),
      stats: record({
        promptTokens: count,
        cachedTokens: count,
        completionTokens: count,
        contextTokens: count,
        tokensPerSecond: figure,
        timeToFirstTokenMs: figure,
      }),
      tokens: count,
      sampling: settings.map(({ systemPrompt: _ofChat, ...sampling }) => ({ ...none, ...sampling })),
      leftOut: record({ messages: count, firstSeenId: words, partOfAnswer: fc.boolean() }, [
        'messages',
        'firstSeenId',
      ]),
      route: record(
        {
          hops: fc.array(
            record({ ...peer, start: count, end: count, stepMs: figure, standby: record(peer, ['peer']) }, [
              'peer',
              'start',
              'end',
            ]),
          ),
          failovers: fc.array(
            record(
              {
                ...peer,
                start: count,
                end: count,
                reason: words,
                pauseMs: figure,
                replacedBy: fc.array(record(peer, ['peer'])),
                wrongFrom: count,
                byStandby: fc.boolean(),
                precision: record({ before: words, after: words, position: count }, [
                  'before',
                  'after',
                  'position',
                ]),
              },
              ['peer', 'start', 'end', 'reason', 'pauseMs', 'replacedBy'],
            ),
          ),
          pushed: fc.boolean(),
          tokensPerStep: figure,
        },
        ['hops', 'failovers', 'pushed'],
      ) as unknown as fc.Arbitrary<Message['route']>,
      position: fc.constant({ answerId: 'a', eventId: 'a:1' }),
      savedAt: time,
    },
    ['id', 'chatId', 'parentId', 'role', 'content', 'createdAt', 'status'],
  )

/** A chat with a tree of messages: each message follows an earlier one. */
const chatWithMessages = (id: string) =>
  fc.nat({ max: 6 }).chain((size) => {
    const ids = Array.from({ length: size }, (_none, index) => `${id}-${index}`)
    return fc.record({
      chat: record<Chat>(
        {
          id: fc.constant(id),
          title: words,
          titledByUser: fc.boolean(),
          createdAt: time,
          updatedAt: time,
          pinned: fc.boolean(),
          model: words,
          settings,
          tools: fc.array(words, { maxLength: 2 }),
          leafId: fc.constantFrom(null, ...ids),
          compared: fc.constantFrom(...sides),
        },
        ['id', 'title', 'titledByUser', 'createdAt', 'updatedAt', 'pinned', 'model', 'settings', 'leafId'],
      ),
      messages: fc.tuple(...ids.map((messageId, index) => message(messageId, id, ids.slice(0, index)))),
    })
  })

const presets = fc.array(
  record<ArchivedPreset>({ name: fc.string({ minLength: 1 }), settings }, ['name', 'settings']),
)
const preferences = record({
  theme: fc.constantFrom('light' as const, 'dark' as const, 'system' as const),
  language: fc.constantFrom('en', 'de', 'system'),
  model: words,
})

const unplaced = ({ position: _position, savedAt: _savedAt, ...rest }: Message): Message => rest

it('an import restores everything that was exported: versions, statistics, settings, routes, sides, presets', () => {
  const chats = fc
    .nat({ max: 4 })
    .chain((size) =>
      fc.tuple(...Array.from({ length: size + 1 }, (_none, index) => chatWithMessages(`chat${index}`))),
    )
  fc.assert(
    fc.property(chats, presets, preferences, (entries, kept, chosen) => {
      const messages = new Map(entries.map(({ chat, messages: own }) => [chat.id, own]))
      const all = entries.map(({ chat }) => chat)
      const file = JSON.stringify(
        createArchive(all, messages, new Date(0), { presets: kept, preferences: chosen }),
      )
      const content = parseArchive(file)
      expect(content.chats).toEqual(all)
      expect(content.messages).toEqual([...messages.values()].flat().map(unplaced))
      expect(content.presets).toEqual(kept)
      expect(content.preferences).toEqual(chosen)
      // A second round trip.
      const own = new Map(all.map(({ id }) => [id, content.messages.filter(({ chatId }) => chatId === id)]))
      expect(parseArchive(JSON.stringify(createArchive(content.chats, own, new Date(0), content)))).toEqual(
        content,
      )
    }),
    { numRuns: 60 },
  )
})

it('a file of version 1 is still read', () => {
  const file = {
    format: 'petals-chat',
    version: 1,
    chats: [
      {
        id: 'c',
        title: 'Old',
        settings: { temperature: 0.5, seed: 99 },
        messages: [{ id: 'm', role: 'user', parentId: null, content: 'Hi', createdAt: 4, status: 'done' }],
      },
    ],
  }
  const { chats, messages, presets: none1, preferences: none2 } = parseArchive(JSON.stringify(file))
  expect(chats).toMatchObject([{ id: 'c', title: 'Old', settings: { temperature: 0.5, seed: 99 } }])
  expect(messages).toMatchObject([{ id: 'm', chatId: 'c', content: 'Hi', status: 'done' }])
  expect([none1, none2]).toEqual([[], {}])
})

it('leaves out settings that every server refuses', () => {
  const settingsOf = (raw: object) =>
    parseArchive(JSON.stringify({ format: 'petals-chat', version: 2, chats: [{ id: 'c', settings: raw }] }))
      .chats[0]!.settings
  expect(settingsOf({ temperature: 9, topK: 1.5, seed: -1, topP: 0.5, stop: ['a', 5] })).toEqual({
    topP: 0.5,
    stop: ['a'],
  })
})
