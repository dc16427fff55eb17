import type { Texts } from '../i18n/en.ts'
import { createStore, type Store } from '../store.ts'

/** Keys of the texts that need no argument. */
export type PlainText = { [K in keyof Texts]: Texts[K] extends string ? K : never }[keyof Texts]

/** The key of a text, or a function for a text with a name in it. */
export type NoticeText = PlainText | ((texts: Texts) => string)

export interface Notice {
  readonly id: number
  readonly text: NoticeText
  readonly action?: { readonly label: PlainText; readonly run: () => void } | undefined
}

export interface NoticesStore extends Store<readonly Notice[]> {
  /** Shows a notice. Each one with an undo stands alone; of the others, the same text is never shown twice at once. */
  show(notice: Omit<Notice, 'id'>): void
  dismiss(id: number): void
  /** Stops all clocks: the pointer is over the notices, or the focus is in them. */
  hold(): void
  /** Restarts the clocks. */
  release(): void
}

/** Long enough to read a notice and reach its button (WCAG 2.2.1): the pointer or the focus on it stops the clock. */
const SHOWN_MS = 10_000
/** The least time that a notice stays after the pointer has left: the reader may not have had time for it. */
const LEAST_MS = 3000

/** The remaining time of a notice, while its clock runs and while it is stopped. */
interface Clock {
  leftMs: number
  startedAt: number
  timer: ReturnType<typeof setTimeout> | undefined
}

export function noticeWords(texts: Texts, { text }: Pick<Notice, 'text'>): string {
  return typeof text === 'function' ? text(texts) : texts[text]
}

/** Short messages at the edge of the page: what happened, and how to undo it. */
export function createNotices(): NoticesStore {
  const store = createStore<readonly Notice[]>([])
  const clocks = new Map<number, Clock>()
  let nextId = 1
  let held = false
  const dismiss = (id: number): void => {
    clearTimeout(clocks.get(id)?.timer)
    clocks.delete(id)
    store.update((notices) => notices.filter((notice) => notice.id !== id))
    // No notice is left to point at.
    if (clocks.size === 0) held = false
  }
  const run = (id: number, clock: Clock): void => {
    clock.startedAt = Date.now()
    clock.timer = setTimeout(() => dismiss(id), clock.leftMs)
  }
  return {
    get: store.get,
    subscribe: store.subscribe,
    show(notice) {
      const id = nextId++
      for (const other of store.get()) if (isSame(other, notice)) dismiss(other.id)
      const clock: Clock = { leftMs: SHOWN_MS, startedAt: 0, timer: undefined }
      clocks.set(id, clock)
      store.update((notices) => [...notices, { ...notice, id }])
      if (!held) run(id, clock)
    },
    dismiss,
    hold() {
      if (held) return
      held = true
      for (const clock of clocks.values()) {
        clearTimeout(clock.timer)
        clock.leftMs = Math.max(LEAST_MS, clock.leftMs - (Date.now() - clock.startedAt))
      }
    },
    release() {
      if (!held) return
      held = false
      for (const [id, clock] of clocks) run(id, clock)
    },
  }
}

function isSame(a: Omit<Notice, 'id'>, b: Omit<Notice, 'id'>): boolean {
  return !a.action && !b.action && a.text === b.text
}
