import { expect, it } from 'vitest'
import { createPreferences } from './preferences.ts'
import { createPresets } from './presets.ts'

/** The `localStorage` of one browser, with the events for its other tabs. */
function createBrowser() {
  const values = new Map<string, string>()
  const tabs: ((event: StorageEvent) => void)[] = []
  const openTab = () => {
    const listener = { current: (_event: StorageEvent) => {} }
    const events = {
      addEventListener: (_type: string, listen: (event: StorageEvent) => void) => (listener.current = listen),
    } as unknown as Window
    const self = (event: StorageEvent) => listener.current(event)
    tabs.push(self)
    const storage = {
      getItem: (key: string) => values.get(key) ?? null,
      setItem: (key: string, value: string) => {
        values.set(key, value)
        for (const tab of tabs) if (tab !== self) tab({ key } as StorageEvent)
      },
    } as unknown as Storage
    return { storage, events }
  }
  return { values, openTab }
}

it('keeps presets by name, in order, and in step with other tabs', () => {
  const browser = createBrowser()
  const one = browser.openTab()
  const two = browser.openTab()
  const here = createPresets(one.storage, one.events)
  const there = createPresets(two.storage, two.events)
  here.save('Precise', { temperature: 0 })
  here.save('Creative', { temperature: 1.2 })
  const { id } = here.save('Precise', { temperature: 0.1, stop: ['\n'] })
  expect(there.get().map(({ name, settings }) => [name, settings])).toEqual([
    ['Creative', { temperature: 1.2 }],
    ['Precise', { temperature: 0.1, stop: ['\n'] }],
  ])
  there.remove(id)
  expect(here.get()).toHaveLength(1)
})

it('reads stored presets, and drops invalid ones', () => {
  const browser = createBrowser()
  const { storage } = browser.openTab()
  const settings = { temperature: 9, topP: 0.5, systemPrompt: 'Hi', stop: 'x', topK: { a: 1 } }
  browser.values.set(
    'petals-chat.presets',
    JSON.stringify([{ id: '1', name: 'Old', settings }, { id: '2' }, 3]),
  )
  expect(createPresets(storage).get()).toEqual([
    { id: '1', name: 'Old', settings: { topP: 0.5, systemPrompt: 'Hi' } },
  ])
  browser.values.set('petals-chat.presets', '{')
  expect(createPresets(storage).get()).toEqual([])
  browser.values.set('petals-chat.preferences', '{"theme":"dark","language":"xx"}')
  expect(createPreferences(storage).get()).toMatchObject({
    theme: 'dark',
    language: 'system',
    sidebarOpen: true,
  })
})

it('works without storage', () => {
  const presets = createPresets(undefined)
  presets.save('A', {})
  expect(presets.get()).toHaveLength(1)
})
