import { isRecord, number, records, text } from '../api/read-json.ts'
import { readFields, readList, readOneOf, readString } from './read-fields.ts'
import { readChatSettings, readMessage } from './read-message.ts'
import { stopCalls } from './tool-calls.ts'
import { sides, type Chat, type ChatSettings, type Message } from './types.ts'

/** A preset in an archive. */
export interface ArchivedPreset {
  readonly name: string
  readonly settings: ChatSettings
}

/** The preferences that make sense in another browser too. */
export interface ArchivedPreferences {
  readonly theme?: 'light' | 'dark' | 'system' | undefined
  readonly language?: string | undefined
  /** The model of the next new chat. */
  readonly model?: string | undefined
}

/** What an export contains besides the chats. */
export interface ArchiveExtras {
  readonly presets?: readonly ArchivedPreset[]
  readonly preferences?: ArchivedPreferences
}

/**
 * All chats in one JSON file, with every branch. Version 1 had neither presets nor preferences. Older pages ignore newer
 * fields of a version that they know.
 */
export interface ChatArchive extends ArchiveExtras {
  readonly format: 'petals-chat'
  readonly version: 2
  readonly exportedAt: string
  readonly chats: readonly (Chat & { readonly messages: readonly Message[] })[]
}

/** The chats and messages of an archive. */
export interface ArchiveContent {
  readonly chats: readonly Chat[]
  readonly messages: readonly Message[]
}

/** How many chats an import changed. */
export interface ImportCounts {
  readonly added: number
  /** Chats that existed in an older state. */
  readonly updated: number
  /** Chats that existed in the same or a newer state. */
  readonly unchanged: number
  /** Presets that did not exist. */
  readonly presets?: number
}

const KNOWN_VERSIONS: ReadonlySet<unknown> = new Set([1, 2])

export function createArchive(
  chats: readonly Chat[],
  messages: ReadonlyMap<string, readonly Message[]>,
  now: Date,
  { presets, preferences }: ArchiveExtras = {},
): ChatArchive {
  return {
    format: 'petals-chat',
    version: 2,
    exportedAt: now.toISOString(),
    chats: chats.map((chat) => ({
      ...portableChat(chat),
      messages: (messages.get(chat.id) ?? []).map(portable),
    })),
    ...(presets && { presets }),
    ...(preferences && { preferences }),
  }
}

/** Drops the fields that mean something only to this server and at this moment. */
function portable({ position: _position, savedAt: _savedAt, ...message }: Message): Message {
  if (message.status !== 'streaming') return message
  return { ...message, status: 'interrupted', ...(message.calls && { calls: stopCalls(message.calls) }) }
}

/** Consent to calls was given in this browser, and holds for no other. */
function portableChat({ allowedTools: _allowedTools, ...chat }: Chat): Chat {
  return chat
}

export type ArchiveProblem = 'not-json' | 'not-archive' | 'too-new' | 'empty'

/** A file that can't be imported. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
  readonly problem: ArchiveProblem

  constructor(problem: ArchiveProblem, options?: ErrorOptions) {
    super(`No chats to import: ${problem}`, options)
    this.problem = problem
  }
}

/**
 * Reads an untrusted archive: checks every field and drops unknown ones.
 * @throws ArchiveError if it contains nothing to import.
 */
export function parseArchive(json: string): ArchiveContent & Required<ArchiveExtras> {
  const archive = parseJson(json)
  if (!isRecord(archive) || archive['format'] !== 'petals-chat' || !Array.isArray(archive['chats']))
    throw new ArchiveError('not-archive')
  if (!KNOWN_VERSIONS.has(archive['version'])) throw new ArchiveError('too-new')
  const entries = records(archive['chats']).flatMap((raw) => {
    const chat = parseChat(raw)
    return chat ? [{ chat, messages: parseMessages(chat.id, raw['messages']) }] : []
  })
  const presets = records(archive['presets']).flatMap((raw) => readPreset(raw) ?? [])
  if (entries.length === 0 && presets.length === 0) throw new ArchiveError('empty')
  return {
    chats: entries.map(({ chat }) => chat),
    messages: entries.flatMap(({ messages }) => messages),
    presets,
    preferences: readPreferences(archive['preferences']) ?? {},
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new ArchiveError('not-json', { cause })
  }
}

const readPreset = readFields<ArchivedPreset>({ name: text, settings: readChatSettings }, [
  'name',
  'settings',
])
const readPreferences = readFields<ArchivedPreferences>({
  theme: readOneOf('light', 'dark', 'system'),
  language: readString,
  model: readString,
})
const readNames = readList(readString)
const readSide = readOneOf(...sides)

function parseChat(raw: Record<string, unknown>): Chat | undefined {
  const id = text(raw['id'])
  if (!id) return undefined
  const createdAt = number(raw['createdAt']) ?? 0
  const compared = readSide(raw['compared'])
  const tools = readNames(raw['tools'])
  return {
    id,
    title: readString(raw['title']) ?? '',
    titledByUser: raw['titledByUser'] === true,
    createdAt,
    updatedAt: number(raw['updatedAt']) ?? createdAt,
    pinned: raw['pinned'] === true,
    model: readString(raw['model']) ?? '',
    settings: readChatSettings(raw['settings']) ?? {},
    leafId: text(raw['leafId']) ?? null,
    ...(compared && { compared }),
    ...(tools && { tools }),
  }
}

function parseMessages(chatId: string, raw: unknown): readonly Message[] {
  return records(raw).flatMap((entry) => readMessage(entry, chatId) ?? [])
}
