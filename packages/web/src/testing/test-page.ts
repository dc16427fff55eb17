import type { TokenizeRequest } from '../api/tokenize.ts'
import type { ModelInfo } from '../api/models.ts'
import { pathTo } from '../chat/message-tree.ts'
import type { Message } from '../chat/types.ts'
import { type AnswerLocks, createAnswerLocks } from '../state/answer-locks.ts'
import type { ToolClient } from '../api/tools.ts'
import { Answers } from '../state/answers.ts'
import { ChatTools } from '../state/chat-tools.ts'
import { createToolsStore } from '../state/tools-store.ts'
import { ChatsStore } from '../state/chats-store.ts'
import { Conversation } from '../state/conversation.ts'
import { DraftsStore } from '../state/drafts-store.ts'
import { AnswerHandover } from '../state/answer-handover.ts'
import { applyTabMessage, type Tabs } from '../state/tabs.ts'
import type { ChatRepository } from '../storage/chat-repository.ts'
import { MemoryRepository } from '../storage/memory-repository.ts'
import { createPreferences } from '../storage/preferences.ts'
import { createPresets } from '../storage/presets.ts'
import { KeptAnswerServer, type Script } from './kept-answer-server.ts'

export const testModel: ModelInfo = {
  id: 'small',
  name: 'Small',
  family: undefined,
  engine: 'llama',
  modelCard: undefined,
  license: undefined,
  contextLength: 400,
  systemPrompt: undefined,
  defaults: {},
  state: { name: 'ready', detail: undefined, progress: undefined },
}

/** A server without tools. */
const noTools: ToolClient = {
  list: () =>
    Promise.resolve({ servers: [], limits: { maxRounds: 2, timeoutSeconds: 5, maxResultChars: 1000 } }),
  modelsWithoutTools: () => Promise.resolve(new Set()),
  call: () => Promise.reject(new Error('The test has no tools.')),
}

/** Creates the state of a page, without components, in front of a scripted server. A token is a word. */
export function createTestPage({
  scripts = [],
  repository = new MemoryRepository(),
  server = new KeptAnswerServer(...scripts),
  locks = createAnswerLocks(undefined),
  tabs = { publish: () => {}, listen: () => () => {} },
  silenceMs = 50,
  toolServer = noTools,
}: {
  readonly scripts?: readonly Script[]
  readonly repository?: ChatRepository
  readonly server?: KeptAnswerServer
  readonly locks?: AnswerLocks
  readonly tabs?: Tabs
  readonly silenceMs?: number
  readonly toolServer?: ToolClient
} = {}) {
  const { publish } = tabs
  const chats = new ChatsStore({ repository, publish })
  const drafts = new DraftsStore({ repository, publish })
  const toolList = createToolsStore(toolServer)
  const tools = new ChatTools({
    chats,
    tools: toolList,
    call: (call, signal) => toolServer.call(call, signal),
  })
  const answers = new Answers({
    client: server,
    tools,
    heartbeatMs: silenceMs / 5,
    publish,
    save: (message) => chats.saveAnswer(message),
    scheduleFrame: (task) => task(),
    wait: () => Promise.resolve(),
  })
  const asked = { sessions: 0 }
  const counted: TokenizeRequest[] = []
  const countTokens = (request: TokenizeRequest) => {
    counted.push(request)
    const texts = request.messages?.map(({ content }) => content) ?? [request.prompt ?? '']
    const tokens = texts.flatMap((text) => text.split(/\s+/)).length
    return Promise.resolve({ tokens, contextLength: testModel.contextLength })
  }
  const findModel = (id: string) => (id === testModel.id ? testModel : undefined)
  const conversation = new Conversation({
    chats,
    answers,
    locks,
    tools,
    planContext: { findModel, countTokens },
  })
  const handover = new AnswerHandover({ repository, conversation, locks, silenceMs })
  tabs.listen((message) => applyTabMessage(message, { chats, answers, drafts, handover, session }))
  const session = { refresh: () => Promise.resolve(void (asked.sessions += 1)) }
  const settled = async (): Promise<void> => {
    do await new Promise((resolve) => setTimeout(resolve))
    while (answers.live.get().size > 0)
  }
  const path = (chatId: string): readonly Message[] =>
    pathTo(chats.tree(chatId), chats.chat(chatId)?.leafId ?? null)
  return {
    server,
    repository,
    chats,
    drafts,
    answers,
    conversation,
    handover,
    tools,
    toolList,
    presets: createPresets(undefined),
    preferences: createPreferences(undefined),
    counted,
    /** How often the page asked who is signed in. */
    asked,
    settled,
    path,
    texts: (chatId: string) => path(chatId).map(({ content }) => content),
    newChat: () => conversation.createChat(testModel.id).id,
    say: async (chatId: string, text: string) => {
      conversation.send(chatId, { text, attachments: [] })
      await settled()
    },
  }
}

/** An answer without text so far. */
export const streamingMessage: Message = {
  id: 'm',
  chatId: 'c',
  parentId: null,
  role: 'assistant',
  content: '',
  createdAt: 0,
  status: 'streaming',
}
