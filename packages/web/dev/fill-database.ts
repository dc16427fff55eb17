export interface LongChat {
  readonly messages: number
  /** Of each answer. */
  readonly text: string
}

/** Runs in the page: puts a chat into its database, as long as they get. */
export async function fillDatabase({ messages, text }: LongChat): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const opening = indexedDB.open('petals-chat')
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(new Error('The database of the page can’t be opened.'))
  })
  const transaction = database.transaction(['chats', 'messages'], 'readwrite')
  const id = (index: number): string => `m${index}`
  transaction.objectStore('chats').put({
    id: 'long',
    title: 'A long chat',
    titledByUser: true,
    createdAt: 1,
    updatedAt: 1,
    pinned: false,
    model: 'scripted-small',
    settings: {},
    leafId: id(messages - 1),
  })
  for (let index = 0; index < messages; index++) {
    transaction.objectStore('messages').put({
      id: id(index),
      chatId: 'long',
      parentId: index === 0 ? null : id(index - 1),
      role: index % 2 === 0 ? 'user' : 'assistant',
      content: index % 2 === 0 ? `Question ${index}` : text,
      createdAt: index + 1,
      status: 'done',
    })
  }
  await new Promise((resolve) => (transaction.oncomplete = resolve))
  database.close()
}
