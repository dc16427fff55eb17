import type { Chat, Message } from '../src/chat/types.ts'

/** The rows of the page's database. */
export interface StoredChats {
  readonly chats: readonly Chat[]
  readonly messages: readonly Message[]
}

/** Adds chats to the page's database. Runs in the page, which shows them after a reload. */
export async function fillDatabase(stored: StoredChats): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open('petals-chat')
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(new Error('The database of the page can’t be opened.'))
  })
  const transaction = database.transaction(['chats', 'messages'], 'readwrite')
  for (const chat of stored.chats) transaction.objectStore('chats').put(chat)
  for (const message of stored.messages) transaction.objectStore('messages').put(message)
  await new Promise((resolve) => (transaction.oncomplete = resolve))
  database.close()
}

/** Creates one very long chat; `text` is the text of each answer. */
export function longChat(count: number, text: string): StoredChats {
  return chatIdOf(
    'long',
    'A long chat',
    1,
    Array.from({ length: count / 2 }, (_, turn) => [`Question ${turn}`, text]),
  )
}

/** Creates as many chats as a reader has after years, each with one turn of question and answer, the newest first. */
export function manyChats(count: number): StoredChats {
  const day = 86_400_000
  const all = Array.from({ length: count }, (_, index) =>
    chatIdOf(`many-${index}`, `Chat number ${index}`, Date.now() - index * (day / 4), [
      [`Question ${index}`, `Answer ${index}, which is about the number ${index} and nothing else.`],
      ['And then?', 'Then came the next number.'],
    ]),
  )
  return { chats: all.flatMap(({ chats }) => chats), messages: all.flatMap(({ messages }) => messages) }
}

function chatIdOf(
  id: string,
  title: string,
  at: number,
  turns: readonly (readonly [question: string, answer: string])[],
): StoredChats {
  const texts = turns.flat()
  const messages = texts.map((content, index): Message => ({
    id: `${id}-${index}`,
    chatId: id,
    parentId: index === 0 ? null : `${id}-${index - 1}`,
    role: index % 2 === 0 ? 'user' : 'assistant',
    content,
    createdAt: at + index,
    status: 'done',
  }))
  const chat: Chat = {
    id,
    title,
    titledByUser: true,
    createdAt: at,
    updatedAt: at,
    pinned: false,
    model: 'scripted-small',
    settings: {},
    leafId: messages.at(-1)?.id ?? null,
  }
  return { chats: [chat], messages }
}
