import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { en } from '../i18n/en.ts'
import { createNotices, noticeWords } from './notices.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const undo = (run: () => void) => ({ label: 'undo', run }) as const

describe('notices', () => {
  it('each deletion has its own undo, even with the same text', () => {
    const notices = createNotices()
    const undone: number[] = []
    for (const which of [1, 2])
      notices.show({ text: 'messageDeleted', action: undo(() => undone.push(which)) })
    expect(notices.get()).toHaveLength(2)
    for (const { action } of notices.get()) action?.run()
    expect(undone).toEqual([1, 2])
  })

  it('a notice without an undo appears once', () => {
    const notices = createNotices()
    for (let count = 0; count < 3; count++) notices.show({ text: 'copied' })
    expect(notices.get()).toHaveLength(1)
  })

  it('disappear after ten seconds, each by its own clock', () => {
    const notices = createNotices()
    notices.show({ text: 'copied' })
    vi.advanceTimersByTime(6000)
    notices.show({ text: 'storageFailed' })
    vi.advanceTimersByTime(4000)
    expect(notices.get().map(({ text }) => text)).toEqual(['storageFailed'])
    vi.advanceTimersByTime(6000)
    expect(notices.get()).toEqual([])
  })

  it('stay while they are held, and a while after', () => {
    const notices = createNotices()
    notices.show({ text: 'copied' })
    vi.advanceTimersByTime(9000)
    notices.hold()
    notices.show({ text: 'storageFailed' })
    vi.advanceTimersByTime(3_600_000)
    expect(notices.get()).toHaveLength(2)
    notices.release()
    vi.advanceTimersByTime(2900)
    expect(notices.get()).toHaveLength(2)
    vi.advanceTimersByTime(200)
    expect(notices.get().map(({ text }) => text)).toEqual(['storageFailed'])
    vi.advanceTimersByTime(7000)
    expect(notices.get()).toEqual([])
  })

  it('name their subject', () => {
    expect(noticeWords(en, { text: 'copied' })).toBe('Copied')
    expect(noticeWords(en, { text: (texts) => texts.chatDeleted('Plums') })).toContain('Plums')
  })
})
