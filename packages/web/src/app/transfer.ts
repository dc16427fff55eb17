import { createArchive, parseArchive } from '../chat/chat-archive.ts'
import { chatToMarkdown, fileNameOf } from '../chat/chat-markdown.ts'
import { pathTo } from '../chat/message-tree.ts'
import type { Message } from '../chat/types.ts'
import type { Texts } from '../i18n/en.ts'
import { saveFile } from './save-file.ts'
import type { Services } from './services.ts'

type TransferServices = Pick<Services, 'chats' | 'repository' | 'notices'>

/** The shown branch of a chat as a Markdown file. */
export async function saveChatAsMarkdown(
  { chats }: TransferServices,
  chatId: string,
  texts: Texts,
): Promise<void> {
  await chats.open(chatId)
  const chat = chats.chat(chatId)
  if (!chat) return
  const markdown = chatToMarkdown(chat, pathTo(chats.tree(chatId), chat.leafId), texts)
  saveFile(`${fileNameOf(chat.title)}.md`, markdown, 'text/markdown')
}

/** Every chat with all its branches as one JSON file. */
export async function exportChats({ chats, repository }: TransferServices): Promise<void> {
  const messages = new Map<string, Message[]>()
  for await (const batch of repository.scanMessages())
    for (const message of batch) {
      const list = messages.get(message.chatId)
      if (list) list.push(message)
      else messages.set(message.chatId, [message])
    }
  const now = new Date()
  const archive = createArchive([...chats.get().chats.values()], messages, now)
  saveFile(`petals-chat-${now.toISOString().slice(0, 10)}.json`, JSON.stringify(archive), 'application/json')
}

/** Adds the chats of an exported file. Chats that are here already get what they lack; importing twice changes nothing. */
export async function importChats(services: TransferServices, file: File): Promise<void> {
  const { chats, notices } = services
  try {
    const content = parseArchive(await file.text())
    await chats.import(content)
    notices.show({ text: 'imported' })
  } catch {
    notices.show({ text: 'importFailed' })
  }
}
