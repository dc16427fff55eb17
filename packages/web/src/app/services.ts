import { createContext, useContext } from 'react'
import { streamChat } from '../api/chat-stream.ts'
import { fetchModels } from '../api/models.ts'
import { Answers } from '../state/answers.ts'
import { ChatsStore } from '../state/chats-store.ts'
import { Conversation } from '../state/conversation.ts'
import { createModelsStore, type ModelsStore } from '../state/models-store.ts'
import { createNotices, type NoticesStore } from '../state/notices.ts'
import { openRepository } from '../storage/open-repository.ts'
import { createPreferences, type PreferencesStore } from '../storage/preferences.ts'
import { scheduleFrame } from './frames.ts'
import { createRouter, type Router } from './router.ts'

/** Everything that outlives a component, made once by `main.tsx`. */
export interface Services {
  readonly preferences: PreferencesStore
  readonly models: ModelsStore
  readonly chats: ChatsStore
  readonly answers: Answers
  readonly conversation: Conversation
  readonly router: Router
  readonly notices: NoticesStore
}

export async function createServices(): Promise<Services> {
  const repository = await openRepository()
  const notices = createNotices()
  const chats = new ChatsStore({ repository, onStorageError: () => notices.show({ text: 'storageFailed' }) })
  if (!repository.persistent) notices.show({ text: 'storageMemory' })
  const answers = new Answers({ streamChat, scheduleFrame, save: (message) => chats.putMessages([message]) })
  const models = createModelsStore({ fetchModels, isVisible: () => !document.hidden })
  const findModel = (id: string) => models.get().models.find((model) => model.id === id)
  return {
    preferences: createPreferences(localStorageOrNone(), window),
    models,
    chats,
    answers,
    conversation: new Conversation({ chats, answers, findModel }),
    router: createRouter(window),
    notices,
  }
}

/** Reading `localStorage` throws where the browser refuses storage. */
function localStorageOrNone(): Storage | undefined {
  try {
    return window.localStorage
  } catch {
    return undefined
  }
}

export const ServicesContext = createContext<Services | undefined>(undefined)

export function useServices(): Services {
  const services = useContext(ServicesContext)
  if (!services) throw new Error('A component is used outside of the page: ServicesContext has no value.')
  return services
}
