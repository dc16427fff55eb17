import {
  type ArchiveContent,
  type ArchivedPreferences,
  ArchiveError,
  type ArchiveProblem,
  type ChatArchive,
  type ImportCounts,
  createArchive,
  parseArchive,
} from '../chat/chat-archive.ts'
import { chatToMarkdown, fileNameOf } from '../chat/chat-markdown.ts'
import { pathTo } from '../chat/message-tree.ts'
import { isListed } from '../chat/sides.ts'
import { BOTH_SIDES, type Chat, type Message } from '../chat/types.ts'
import { isLanguage } from '../i18n/languages.ts'
import type { Texts } from '../i18n/en.ts'
import type { Services } from './services.ts'

/** Saves the shown branch of a chat as a Markdown file. */
export async function saveChatAsMarkdown(
  { chats }: Pick<Services, 'chats'>,
  chatId: string,
  texts: Texts,
): Promise<void> {
  const chat = await openChat(chats, chatId)
  if (!chat) return
  const markdown = chatToMarkdown(chat, pathTo(chats.tree(chatId), chat.leafId), texts)
  saveFile(`${fileNameOf(chat.title)}.md`, markdown, 'text/markdown')
}

/** Saves a chat with all its branches as a JSON file, which can be imported. */
export async function saveChatAsJson({ chats }: Pick<Services, 'chats'>, chatId: string): Promise<void> {
  const chat = await openChat(chats, chatId)
  if (!chat) return
  const messages = new Map([[chatId, [...chats.tree(chatId).messages.values()]]])
  saveArchive(fileNameOf(chat.title), createArchive([chat], messages, new Date()))
}

async function openChat(chats: Services['chats'], chatId: string): Promise<Chat | undefined> {
  await chats.open(chatId)
  return chats.chat(chatId)
}

/** Saves all chats with all their branches, the presets and the preferences as one JSON file. */
export async function exportChats({
  chats,
  preferences,
  presets,
  repository,
}: Pick<Services, 'chats' | 'preferences' | 'presets' | 'repository'>): Promise<void> {
  const messages = new Map<string, Message[]>()
  for await (const batch of repository.scanMessages())
    for (const message of batch) {
      const list = messages.get(message.chatId)
      if (list) list.push(message)
      else messages.set(message.chatId, [message])
    }
  const now = new Date()
  const { theme, language, model } = preferences.get()
  const archive = createArchive(
    // A comparison that has not begun is not exported.
    [...chats.get().chats.values()].filter((chat) => isListed(chat) || messages.has(chat.id)),
    messages,
    now,
    {
      presets: presets.get().map(({ name, settings }) => ({ name, settings })),
      preferences: { theme, language, model },
    },
  )
  saveArchive(`petals-chat-${now.toISOString().slice(0, 10)}`, archive)
}

function saveArchive(name: string, archive: ChatArchive): void {
  saveFile(`${name}.json`, JSON.stringify(archive), 'application/json')
}

export type ImportProblem = ArchiveProblem | 'unreadable' | 'not-kept'

/** The outcome of an import: how many chats it added, or why it added none. */
export type ImportResult =
  | { readonly counts: ImportCounts; readonly problem?: undefined }
  | { readonly problem: ImportProblem; readonly counts?: undefined }

/** Adds the chats of an exported file. Known chats get the messages that they lack; importing twice changes nothing. */
export async function importChats(
  services: Pick<Services, 'chats' | 'preferences' | 'presets'>,
  file: File,
): Promise<ImportResult> {
  const { chats, preferences, presets } = services
  const json = await file.text().catch(() => undefined)
  if (json === undefined) return { problem: 'unreadable' }
  try {
    const { presets: named, preferences: chosen, ...content } = parseArchive(json)
    const counts = await chats.import(await withPlaceForSides(chats, content))
    takePreferences(preferences, chosen)
    return { counts: { ...counts, presets: presets.add(named) } }
  } catch (error) {
    return { problem: error instanceof ArchiveError ? error.problem : 'not-kept' }
  }
}

/**
 * A page has one comparison. If it has begun, it stays, and the sides of the imported one become listed chats. If it has
 * not begun, the imported comparison replaces it.
 */
async function withPlaceForSides(chats: Services['chats'], content: ArchiveContent): Promise<ArchiveContent> {
  const here = [...chats.get().chats.values()].filter((chat) => !isListed(chat))
  const known = new Set(here.map(({ id }) => id))
  const isNew = (chat: Chat): boolean => !isListed(chat) && !known.has(chat.id)
  if (!content.chats.some(isNew)) return content
  if (here.some(({ leafId }) => leafId !== null)) {
    const listed = content.chats.map((chat) => (isNew(chat) ? { ...chat, compared: undefined } : chat))
    return { ...content, chats: listed }
  }
  for (const { id } of here) await chats.remove(id)
  return content
}

/** Takes imported preferences where the reader has chosen nothing in this browser. */
function takePreferences(preferences: Services['preferences'], chosen: ArchivedPreferences): void {
  const { theme, language, model } = preferences.get()
  preferences.change({
    theme: theme === 'system' ? (chosen.theme ?? theme) : theme,
    language: language === 'system' && isLanguage(chosen.language) ? chosen.language : language,
    model: model ?? chosen.model,
  })
}

/** Deletes all chats, stops running answers, and offers to undo that. */
export async function deleteAllChats({
  answers,
  chats,
  drafts,
  notices,
  router,
}: Pick<Services, 'answers' | 'chats' | 'drafts' | 'notices' | 'router'>): Promise<void> {
  for (const messageId of answers.live.get().keys()) answers.stop({ id: messageId })
  router.go({ page: 'new' })
  const deleted = new Set([...chats.get().chats.keys(), BOTH_SIDES])
  const restore = await chats.removeAll()
  const run = (): void => {
    restore()
    drafts.saveRestored(deleted)
  }
  notices.show({ text: 'allDeleted', action: { label: 'undo', run } })
}

/** Offers a text to the browser as a download. */
function saveFile(name: string, text: string, type: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  // By then the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}
