import type { Services } from '../../app/services.ts'
import { groupChats } from '../../chat/chat-groups.ts'
import { pathTo } from '../../chat/message-tree.ts'
import { messageText } from '../../chat/prompt.ts'
import { type Message, type Side, sides } from '../../chat/types.ts'
import { copyText } from '../../ui/copy-text.ts'
import { focusSoon } from '../../ui/reveal.ts'
import { NOTICES_ID } from '../notices.tsx'
import type { ShortcutAction } from './shortcuts.ts'
import { panelId } from '../element-ids.ts'

export interface SidebarControls {
  /** `focus`: false if the caller focuses an element of the sidebar. */
  show(focus?: boolean): void
  toggle(): void
  /** Closes the drawer over the page. Returns false if there is none. */
  dismiss(): boolean
}

/** Runs the action of a shortcut. Returns false if there is nothing to do: then the browser handles the key. */
export function runShortcut(action: ShortcutAction, services: Services, sidebar: SidebarControls): boolean {
  const { conversation, dialogs, models, router } = services
  switch (action) {
    case 'new-chat':
      router.go({ page: 'new' })
      focusSoon('message')
      return true
    case 'search':
      sidebar.show(false)
      focusSoon('chat-search')
      return true
    case 'previous-chat':
      return goToChat(services, -1)
    case 'next-chat':
      return goToChat(services, 1)
    case 'focus-message':
      focusSoon('message')
      return true
    case 'stop':
      return (
        sidebar.dismiss() ||
        forEach(lastAnswers(services, 'streaming'), (message) => conversation.stop(message))
      )
    case 'regenerate':
      return forEach(lastAnswers(services, 'ended'), ({ chatId, id }) => conversation.regenerate(chatId, id))
    case 'copy-answer':
      return forEach(
        lastAnswers(services, 'ended').slice(0, 1),
        (message) => void copyAnswer(services, message),
      )
    case 'toggle-sidebar':
      sidebar.toggle()
      return true
    case 'settings':
      dialogs.open('settings', chatsInFocus(services)[0])
      return true
    case 'show-shortcuts':
      dialogs.open('shortcuts')
      return true
    case 'undo':
      return undoLast(services)
    case 'notices':
      return focusNewestNotice()
    case 'swarm':
      if (!models.get().models.some(({ engine }) => engine === 'petals')) return false
      router.go({ page: 'swarm' })
      return true
  }
}

/** Runs the undo of the newest notice that has one. */
function undoLast({ notices }: Services): boolean {
  const newest = notices.get().findLast(({ action }) => action !== undefined)
  if (!newest) return false
  notices.dismiss(newest.id)
  newest.action?.run()
  return true
}

function focusNewestNotice(): boolean {
  const button = document.getElementById(NOTICES_ID)?.lastElementChild?.querySelector('button')
  button?.focus()
  return button !== null && button !== undefined
}

/** Opens the chat above or below in the list; the first one if no chat is open. */
function goToChat({ chats, router }: Services, offset: number): boolean {
  const order = groupChats(chats.get().chats.values(), new Date()).flatMap((group) => group.chats)
  const route = router.get()
  const index = route.page === 'chat' ? order.findIndex(({ id }) => id === route.chatId) : -1
  const target = index === -1 ? order[0] : order[index + offset]
  if (!target) return false
  router.go({ page: 'chat', chatId: target.id })
  return true
}

/** Returns the last messages of the focused chats that are answers in this state. */
function lastAnswers(services: Services, state: 'streaming' | 'ended'): readonly Message[] {
  const { chats } = services
  return chatsInFocus(services).flatMap((chatId) => {
    const last = pathTo(chats.tree(chatId), chats.chat(chatId)?.leafId ?? null).at(-1)
    const matches = last?.role === 'assistant' && (last.status === 'streaming') === (state === 'streaming')
    return matches ? last : []
  })
}

/** Returns false if there are no messages. */
function forEach(messages: readonly Message[], run: (message: Message) => void): boolean {
  messages.forEach((message) => run(message))
  return messages.length > 0
}

async function copyAnswer({ notices }: Services, message: Message): Promise<void> {
  const copied = await copyText(messageText(message))
  notices.show({ text: copied ? 'copied' : 'copyFailed' })
}

/**
 * Returns the ids of the chats that a shortcut applies to: the page's chat; in a comparison, the side that has the focus,
 * else both, the visible one first.
 */
function chatsInFocus({ comparison, router }: Services): readonly string[] {
  const route = router.get()
  if (route.page === 'chat') return [route.chatId]
  if (route.page !== 'compare') return []
  const focused = sides.filter((side) => panel(side)?.contains(document.activeElement))
  const shown = focused.length > 0 ? focused : sides.toSorted((a, b) => rank(a) - rank(b))
  return shown.flatMap((side) => comparison.side(side)?.id ?? [])
}

function panel(side: Side): HTMLElement | null {
  return document.getElementById(panelId(side))
}

/** On a phone, one side is visible at a time. */
function rank(side: Side): number {
  return panel(side)?.hidden ? 1 : 0
}
