import { expect, it } from 'vitest'
import { formatBytes, formatCount, formatIn, formatPercent, formatSeconds } from './format.ts'
import { createLanguageStore } from './language-store.ts'
import { chooseLocale } from './languages.ts'

it.each([
  ['system', ['de-AT', 'en'], { language: 'de', tag: 'de-AT' }],
  ['system', ['fr-FR', 'en-GB', 'de'], { language: 'en', tag: 'en-GB' }],
  ['system', ['fr-FR'], { language: 'en', tag: 'en' }],
  ['system', ['DE'], { language: 'de', tag: 'DE' }],
  ['system', [], { language: 'en', tag: 'en' }],
  ['system', ['constructor'], { language: 'en', tag: 'en' }],
  ['de', ['en-US', 'de-CH'], { language: 'de', tag: 'de-CH' }],
  ['de', ['en-US'], { language: 'de', tag: 'de' }],
] as const)('%s in a browser of %j', (choice, tags, locale) => {
  expect(chooseLocale(choice, tags)).toEqual(locale)
})

it('numbers match the language of the texts around them', async () => {
  const store = createLanguageStore(['en-US', 'de-DE'])
  await store.choose('de')
  expect(store.get()).toMatchObject({ language: 'de', texts: { save: 'Speichern' } })
  expect([formatCount(12_345), formatBytes(1_500_000), formatSeconds(1234)]).toEqual([
    '12.345',
    '1,5 MB',
    '1,2 s',
  ])
  expect(formatPercent(0.5)).toBe('50\u00a0%')
  await store.choose('system')
  expect(store.get()).toMatchObject({ language: 'en', texts: { save: 'Save' } })
  expect([formatCount(12_345), formatPercent(0.5)]).toEqual(['12,345', '50%'])
})

it('the last choice wins, even if its texts arrive first', async () => {
  const store = createLanguageStore(['en'])
  await Promise.all([store.choose('de'), store.choose('en')])
  expect(store.get().language).toBe('en')
  formatIn('en')
})
