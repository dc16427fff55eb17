import 'fake-indexeddb/auto'
import { expect, it } from 'vitest'
import { DexieRepository } from '../storage/dexie-repository.ts'
import { MemoryRepository } from '../storage/memory-repository.ts'
import { DraftsStore } from './drafts-store.ts'

it('keeps unsent text through a reload, chat by chat', async () => {
  const repository = await DexieRepository.open('drafts')
  const drafts = new DraftsStore({ repository })
  drafts.change('a', { text: 'Hel' })
  drafts.change('a', { text: 'Hello' })
  drafts.change('b', { attachments: [{ id: '1', name: 'notes.txt', text: 'x' }] })
  await expect.poll(async () => (await repository.loadDrafts()).length).toBe(2)
  const reloaded = new DraftsStore({ repository })
  await reloaded.load()
  expect(reloaded.draft('a').text).toBe('Hello')
  expect(reloaded.draft('b').attachments[0]?.name).toBe('notes.txt')
  reloaded.clear('a')
  await expect.poll(async () => (await repository.loadDrafts()).map(({ id }) => id)).toEqual(['b'])
  expect(reloaded.get().has('a')).toBe(false)
  repository.close()
})

it('writes the newest state, one write at a time', async () => {
  const repository = new MemoryRepository()
  const written: string[] = []
  let running = 0
  repository.putDraft = async ({ text }) => {
    expect(running++).toBe(0)
    await new Promise((resolve) => setTimeout(resolve, 1))
    running--
    written.push(text)
  }
  const drafts = new DraftsStore({ repository })
  for (const text of ['a', 'ab', 'abc']) drafts.change('x', { text })
  await new Promise((resolve) => setTimeout(resolve))
  for (const text of ['abcd', 'abcde']) drafts.change('x', { text })
  await expect.poll(() => written).toEqual(['abc', 'abcde'])
})

it('keeps an open, empty editor and unsaved settings, and restores them with their chat', async () => {
  const repository = new MemoryRepository()
  const drafts = new DraftsStore({ repository })
  drafts.change('edit:1', { chatId: 'a', text: '', open: true })
  drafts.change('settings:a', { chatId: 'a', form: { temperature: '0.' } })
  drafts.change('edit:2', { chatId: 'a', text: '', open: false })
  const stored = async () => (await repository.loadDrafts()).map(({ id }) => id).toSorted()
  await expect.poll(stored).toEqual(['edit:1', 'settings:a'])
  await repository.removeChat('a')
  expect(await stored()).toEqual([])
  drafts.change('b', { text: 'of a chat that stays deleted' })
  await expect.poll(stored).toEqual(['b'])
  await repository.removeChat('b')
  drafts.saveRestored(new Set(['a']))
  await expect.poll(stored).toEqual(['edit:1', 'settings:a'])
  expect(drafts.draft('settings:a').form).toEqual({ temperature: '0.' })
})

it('does not lose text that is typed while the stored drafts are read', async () => {
  const repository = new MemoryRepository()
  await repository.putDraft({ id: 'x', text: 'old', attachments: [] })
  const drafts = new DraftsStore({ repository })
  const loading = drafts.load()
  drafts.change('x', { text: 'new' })
  await loading
  expect(drafts.draft('x').text).toBe('new')
})
