import { createContext, useContext } from 'react'
import { flushSync } from 'react-dom'
import { answerClient, reportingErrors } from '../api/answer-client.ts'
import { limitStreams } from '../api/limit-streams.ts'
import { fetchModels } from '../api/models.ts'
import { sessionClient } from '../api/session.ts'
import { countTokens } from '../api/tokenize.ts'
import { toolClient } from '../api/tools.ts'
import { createLanguageStore, type LanguageStore } from '../i18n/language-store.ts'
import { createAnswerLocks } from '../state/answer-locks.ts'
import { Answers } from '../state/answers.ts'
import { ChatTools } from '../state/chat-tools.ts'
import { ChatsStore } from '../state/chats-store.ts'
import { Comparison } from '../state/comparison.ts'
import { Conversation } from '../state/conversation.ts'
import { DraftsStore } from '../state/drafts-store.ts'
import { createModelsStore, type ModelsStore } from '../state/models-store.ts'
import { createNotices, type NoticesStore } from '../state/notices.ts'
import { createSessionStore, type SessionStore } from '../state/session-store.ts'
import { createToolsStore, type ToolsStore } from '../state/tools-store.ts'
import { createStore, type Store } from '../store.ts'
import { AnswerHandover } from '../state/answer-handover.ts'
import { createTabs, applyTabMessage } from '../state/tabs.ts'
import type { ChatRepository } from '../storage/chat-repository.ts'
import { openRepository } from '../storage/open-repository.ts'
import { createPreferences, type PreferencesStore } from '../storage/preferences.ts'
import { createPresets, type PresetsStore } from '../storage/presets.ts'
import { localStorageOrNone, type StoredValue } from '../storage/stored-value.ts'
import { createSwarmNotices } from '../storage/swarm-notices.ts'
import { followPreferences } from './appearance.ts'
import { createDialogs, type Dialogs } from './dialogs.ts'
import { createRouter, type Router } from './router.ts'
import { returnFromProvider } from './sign-in-return.ts'

/** How many answers stream at once in a tab: two of a browser's six connections stay free. */
const MAX_STREAMS = 4

/** Everything that outlives a component; `main.tsx` creates it once. */
export interface Services {
  readonly preferences: PreferencesStore
  readonly language: LanguageStore
  readonly models: ModelsStore
  readonly tools: ToolsStore
  readonly session: SessionStore
  readonly chats: ChatsStore
  /** For work on all chats: search and export. */
  readonly repository: ChatRepository
  readonly answers: Answers
  readonly conversation: Conversation
  readonly comparison: Comparison
  readonly drafts: DraftsStore
  readonly presets: PresetsStore
  /** Ids of the models whose notice about the swarm the reader has confirmed. */
  readonly swarmNotices: StoredValue<readonly string[]>
  readonly router: Router
  readonly dialogs: Dialogs
  readonly printing: Store<boolean>
  readonly notices: NoticesStore
  /** Reads stored chats and drafts, requests the models of the server, and resumes unfinished answers. */
  start(): Promise<void>
  /** Saves what is written and not yet saved, for a page that is being closed. */
  saveAll(): void
}

export async function createServices(): Promise<Services> {
  const storage = localStorageOrNone()
  const preferences = createPreferences(storage, window)
  const language = createLanguageStore(navigator.languages)
  const [repository] = await Promise.all([openRepository(window), followPreferences(preferences, language)])
  const notices = createNotices()
  const onStorageError = (): void => notices.show({ text: 'storageFailed' })
  if (!repository.persistent) notices.show({ text: 'storageMemory' })
  const tabs = createTabs()
  const { publish } = tabs
  const chats = new ChatsStore({ repository, publish, onStorageError })
  const models = createModelsStore({ fetchModels, isVisible: () => !document.hidden })
  const tools = createToolsStore(toolClient)
  const chatTools = new ChatTools({ chats, tools, call: (call, signal) => toolClient.call(call, signal) })
  const session = createSessionStore({
    client: sessionClient,
    failure: returnFromProvider(window),
    publish: () => publish({ type: 'session' }),
    // Another reader may see other models.
    onChange: () => void Promise.all([models.refresh(), tools.refresh()]),
  })
  models.subscribe(() => {
    if (models.get().error?.kind === 'signed-out') void session.refresh()
  })
  const answers = new Answers({
    tools: chatTools,
    client: limitStreams(
      reportingErrors(answerClient, ({ kind }) => {
        if (kind === 'network') void models.refresh()
        if (kind === 'signed-out') void session.refresh()
      }),
      MAX_STREAMS,
    ),
    publish,
    scheduleFrame,
    save: (message) => chats.saveAnswer(message),
  })
  const findModel = (id: string) => models.get().models.find((model) => model.id === id)
  const locks = createAnswerLocks(navigator.locks)
  const conversation = new Conversation({
    chats,
    answers,
    locks,
    tools: chatTools,
    planContext: { findModel, countTokens },
  })
  const handover = new AnswerHandover({ repository, conversation, locks })
  const drafts = new DraftsStore({ repository, publish, onStorageError })
  tabs.listen((message) => applyTabMessage(message, { chats, answers, drafts, handover, session }))
  return {
    preferences,
    language,
    presets: createPresets(storage, window),
    swarmNotices: createSwarmNotices(storage, window),
    models,
    tools,
    session,
    chats,
    repository,
    answers,
    conversation,
    comparison: new Comparison({ chats, conversation }),
    drafts,
    router: createRouter(window),
    dialogs: createDialogs(),
    printing: createPrinting(window),
    notices,
    async start() {
      models.start()
      void session.refresh()
      void tools.refresh()
      await Promise.all([chats.load(), drafts.load()])
      await handover.resumeAll().catch(onStorageError)
    },
    saveAll() {
      answers.saveAll()
      drafts.saveAll()
      repository.leaveUnfinished()
    },
  }
}

export const ServicesContext = createContext<Services | undefined>(undefined)

export function useServices(): Services {
  const services = useContext(ServicesContext)
  if (!services)
    throw new Error('ServicesContext has no value: render the component inside <ServicesContext>.')
  return services
}

/** A hidden tab gets no animation frames, but its answers continue. */
const HIDDEN_INTERVAL_MS = 250

/** Runs `task` in the next animation frame, or soon if the tab is hidden. Several tasks of one frame run together. */
function scheduleFrame(task: () => void): void {
  if (document.hidden) setTimeout(task, HIDDEN_INTERVAL_MS)
  else requestAnimationFrame(task)
}

/** Reports whether the page is being printed. All of it is rendered then, not only what is near the viewport. */
function createPrinting(window: Window): Store<boolean> {
  const printing = createStore(false)
  // The browser takes its snapshot as soon as this returns.
  window.addEventListener('beforeprint', () => flushSync(() => printing.set(true)))
  window.addEventListener('afterprint', () => printing.set(false))
  return printing
}
