import { isRecord, number, records, text } from '../api/read-json.ts'
import type { Attachment, Chat, ChatSettings, Message, MessageStatus } from './types.ts'

/** All chats in one JSON file, with every branch. */
export interface ChatArchive {
  readonly format: 'petals-chat'
  readonly version: 1
  readonly exportedAt: string
  readonly chats: readonly (Chat & { readonly messages: readonly Message[] })[]
}

/** What an archive brings into the page. */
export interface ArchiveContent {
  readonly chats: readonly Chat[]
  readonly messages: readonly Message[]
}

export function createArchive(
  chats: readonly Chat[],
  messages: ReadonlyMap<string, readonly Message[]>,
  now: Date,
): ChatArchive {
  return {
    format: 'petals-chat',
    version: 1,
    exportedAt: now.toISOString(),
    chats: chats.map((chat) => ({ ...chat, messages: (messages.get(chat.id) ?? []).map(portable) })),
  }
}

/** Without what means something only to this server and this moment. */
function portable({ position: _position, savedAt: _savedAt, ...message }: Message): Message {
  return message.status === 'streaming' ? { ...message, status: 'interrupted' } : message
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
 * Reads an archive that may come from anywhere: every field is checked, unknown ones are dropped.
 * @throws ArchiveError if there is no chat in it.
 */
export function parseArchive(json: string): ArchiveContent {
  const archive = parseJson(json)
  if (!isRecord(archive) || archive['format'] !== 'petals-chat' || !Array.isArray(archive['chats']))
    throw new ArchiveError('not-archive')
  if (archive['version'] !== 1) throw new ArchiveError('too-new')
  const entries = records(archive['chats']).flatMap((raw) => {
    const chat = parseChat(raw)
    return chat ? [{ chat, messages: parseMessages(chat.id, raw['messages']) }] : []
  })
  if (entries.length === 0) throw new ArchiveError('empty')
  return { chats: entries.map(({ chat }) => chat), messages: entries.flatMap(({ messages }) => messages) }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new ArchiveError('not-json', { cause })
  }
}

function parseChat(raw: Record<string, unknown>): Chat | undefined {
  const id = text(raw['id'])
  if (!id) return undefined
  const createdAt = number(raw['createdAt']) ?? 0
  return {
    id,
    title: text(raw['title']) ?? '',
    titledByUser: raw['titledByUser'] === true,
    createdAt,
    updatedAt: number(raw['updatedAt']) ?? createdAt,
    pinned: raw['pinned'] === true,
    model: text(raw['model']) ?? '',
    settings: parseSettings(raw['settings']),
    leafId: text(raw['leafId']) ?? null,
  }
}

function parseSettings(raw: unknown): ChatSettings {
  if (!isRecord(raw)) return {}
  const { stop } = raw
  const settings: ChatSettings = {
    systemPrompt: text(raw['systemPrompt']),
    temperature: number(raw['temperature']),
    topP: number(raw['topP']),
    topK: number(raw['topK']),
    minP: number(raw['minP']),
    repetitionPenalty: number(raw['repetitionPenalty']),
    maxTokens: number(raw['maxTokens']),
    seed: number(raw['seed']),
    stop: Array.isArray(stop) ? stop.filter((item) => typeof item === 'string') : undefined,
  }
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}

const statuses: ReadonlySet<unknown> = new Set<MessageStatus>([
  'done',
  'stopped',
  'length',
  'interrupted',
  'error',
])

function parseMessages(chatId: string, raw: unknown): readonly Message[] {
  return records(raw).flatMap((entry): readonly Message[] => {
    const id = text(entry['id'])
    const role = entry['role']
    if (!id || (role !== 'user' && role !== 'assistant')) return []
    const attachments = records(entry['attachments']).flatMap(parseAttachment)
    const stats = isRecord(entry['stats']) ? numbersOf(entry['stats']) : undefined
    return [
      {
        id,
        chatId,
        parentId: text(entry['parentId']) ?? null,
        role,
        content: typeof entry['content'] === 'string' ? entry['content'] : '',
        reasoning: text(entry['reasoning']),
        attachments: attachments.length > 0 ? attachments : undefined,
        createdAt: number(entry['createdAt']) ?? 0,
        // An error's kind and words are of another time and server: what matters is that the answer is not whole.
        status:
          statuses.has(entry['status']) && entry['status'] !== 'error'
            ? (entry['status'] as MessageStatus)
            : 'interrupted',
        model: text(entry['model']),
        stats,
      },
    ]
  })
}

function parseAttachment(raw: Record<string, unknown>): readonly Attachment[] {
  const [id, name, content] = [text(raw['id']), text(raw['name']), raw['text']]
  return id && name && typeof content === 'string' ? [{ id, name, text: content }] : []
}

function numbersOf(raw: Record<string, unknown>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(raw).filter((entry): entry is [string, number] => number(entry[1]) !== undefined),
  )
}
