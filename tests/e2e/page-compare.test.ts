import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { defaultModelPath } from '../support/model.ts'
import { openPage, screenshot } from './support/browser.ts'
import { sessionsInUse } from './support/metrics.ts'
import { useDefaultChat } from './support/default-chat.ts'
import { startPetalsChat, withDefaultModel } from './support/petals-chat.ts'

const subject = useDefaultChat()

const side = (page: Page, letter: 'A' | 'B') =>
  page.getByRole('region', { name: `Side ${letter}`, exact: true })
const lastText = async (page: Page, letter: 'A' | 'B') =>
  (await side(page, letter).getByRole('article').last().textContent()) ?? ''
const chatLinks = (page: Page) => page.getByRole('navigation', { name: 'Chats' }).locator('.chat-link')

async function settle(
  page: Page,
  letter: 'A' | 'B',
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  await side(page, letter).getByRole('button', { name: 'Settings' }).click()
  const dialog = page.getByRole('dialog', { name: 'Settings' })
  for (const [label, value] of Object.entries(settings)) await dialog.getByLabel(label).fill(value)
  await dialog.getByRole('button', { name: 'Save', exact: true }).click()
}

async function ask(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  await page.keyboard.press('Enter')
}

const answered = (page: Page, letter: 'A' | 'B', answers = 1) =>
  expect.poll(() => side(page, letter).getByRole('button', { name: 'Regenerate' }).count()).toBe(answers)

describe('comparing', () => {
  it('asks one model with two settings, follows up with both, and keeps a side as a chat', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page, complaints } = watched
    await page.getByRole('link', { name: 'Compare' }).click()
    await settle(page, 'A', { Temperature: '0', 'Max tokens': '24' })
    await settle(page, 'B', {
      Temperature: '0',
      'Max tokens': '40',
      'System prompt': 'You are a pirate. Answer in capital letters.',
    })
    await expect.poll(() => side(page, 'A').getByText('Temperature 0 · Max tokens 24').count()).toBe(1)
    await expect
      .poll(() =>
        side(page, 'B')
          .getByText(/You are a pirate.*Max tokens 40/)
          .count(),
      )
      .toBe(1)
    await ask(page, 'Name a fruit.')
    await answered(page, 'A')
    await answered(page, 'B')
    for (const letter of ['A', 'B'] as const)
      expect(await lastText(page, letter)).toMatch(/\d+ tokens.*tokens\/s/)
    expect(await lastText(page, 'A')).not.toBe(await lastText(page, 'B'))
    await screenshot(page, 'compare')

    await side(page, 'B').getByRole('button', { name: 'Regenerate' }).click()
    await side(page, 'B').getByRole('group', { name: 'Version 2 of 2' }).waitFor({ timeout: 60_000 })
    expect(
      await side(page, 'A')
        .getByRole('group', { name: /Version/ })
        .count(),
    ).toBe(0)
    await answered(page, 'B')

    await ask(page, 'And a vegetable?')
    await answered(page, 'A', 2)
    await answered(page, 'B', 2)
    // The list knows nothing of it, and a reload loses nothing.
    expect(await chatLinks(page).count()).toBe(0)
    const before = await lastText(page, 'B')
    await page.reload()
    await expect.poll(() => side(page, 'B').getByRole('article').count()).toBe(4)
    expect(await lastText(page, 'B')).toBe(before)

    await side(page, 'B').getByRole('button', { name: 'Keep this one' }).click()
    await expect.poll(() => chatLinks(page).allTextContents()).toEqual(['Name a fruit.'])
    await expect.poll(() => page.getByRole('article').count()).toBe(4)
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => side(page, 'A').getByRole('article').count()).toBe(4)
    expect(await chatLinks(page).count()).toBe(0)
    expect(complaints).toEqual([])
  })

  it('stops one side, and both', async () => {
    await using watched = await openPage(subject.browser, `${subject.server.url}/#/compare`)
    const { page } = watched
    // The most probable tokens repeat themselves for ever: nothing ends by itself.
    for (const letter of ['A', 'B'] as const) await settle(page, letter, { Temperature: '0' })
    await ask(page, 'Tell me a long story about a ship.')
    await expect.poll(async () => (await lastText(page, 'A')).length).toBeGreaterThan(30)
    await page.getByRole('button', { name: 'Stop side A' }).click()
    await expect.poll(() => lastText(page, 'A')).toContain('Stopped')
    await expect.poll(async () => (await lastText(page, 'B')).length).toBeGreaterThan(30)
    expect(await lastText(page, 'B')).not.toContain('Stopped')
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await expect.poll(() => lastText(page, 'B')).toContain('Stopped')
    await expect.poll(() => sessionsInUse(subject.server.url), { timeout: 5000 }).toBe(0)
  })

  it('opens by keyboard the settings of the side that has the focus, else of the first', async () => {
    await using watched = await openPage(subject.browser, `${subject.server.url}/#/compare`)
    const { page, complaints } = watched
    const dialog = page.getByRole('dialog', { name: 'Settings' })
    const settleByKeyboard = async (prompt: string): Promise<void> => {
      await page.keyboard.press('ControlOrMeta+.')
      await dialog.getByLabel('System prompt').fill(prompt)
      await dialog.getByRole('button', { name: 'Save', exact: true }).click()
    }
    await page.getByRole('textbox', { name: 'Message' }).focus()
    await settleByKeyboard('Be brief.')
    await side(page, 'A').getByText('Be brief.').waitFor()
    await side(page, 'B').getByRole('button', { name: 'Settings' }).focus()
    await settleByKeyboard('Be kind.')
    await side(page, 'B').getByText('Be kind.').waitFor()
    expect(await side(page, 'A').getByText('Be kind.').count()).toBe(0)

    // Stop is one key for both.
    await ask(page, 'Tell me a long story about a ship.')
    for (const letter of ['A', 'B'] as const)
      await page.getByRole('button', { name: `Stop side ${letter}` }).waitFor()
    await page.keyboard.press('Escape')
    for (const letter of ['A', 'B'] as const)
      await expect.poll(() => lastText(page, letter)).toContain('Stopped')
    expect(complaints).toEqual([])
  })

  it('begins from an answer of a chat, and has tabs on a phone, by keyboard too', async () => {
    await using watched = await openPage(subject.browser, subject.server.url, { colorScheme: 'dark' })
    const { page, complaints } = watched
    await ask(page, 'Say hello.')
    const answer = page.getByRole('article').last()
    await expect.poll(() => answer.getByRole('button', { name: 'Regenerate' }).count()).toBe(1)
    await answer.getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Compare with another model…' }).click()
    await expect.poll(() => side(page, 'A').getByRole('article').count()).toBe(2)
    await expect.poll(() => side(page, 'B').getByRole('article').count()).toBe(1)
    await settle(page, 'B', { 'Max tokens': '12' })
    await side(page, 'B').getByRole('button', { name: 'Answer this' }).click()
    await answered(page, 'B')
    // The chat that it came from is as it was.
    expect(await chatLinks(page).count()).toBe(1)

    await page.setViewportSize({ width: 390, height: 844 })
    const tab = (letter: string) => page.getByRole('tab', { name: `Side ${letter}` })
    await tab('A').focus()
    await page.keyboard.press('ArrowRight')
    await expect.poll(() => tab('B').getAttribute('aria-selected')).toBe('true')
    await expect.poll(() => page.getByRole('tabpanel', { name: 'Side B' }).count()).toBe(1)
    await screenshot(page, 'compare-phone-dark')
    expect(complaints).toEqual([])
  })
})

describe('comparing two models', () => {
  it('asks each model once, and keeps one', async () => {
    const env = await withDefaultModel()
    const file = await defaultModelPath()
    await using two = await startPetalsChat({
      args: ['--model', `first=${file}`, '--model', `second=${file}`],
      env,
    })
    await using watched = await openPage(subject.browser, two.url)
    const { page, complaints } = watched
    const asked: unknown[] = []
    page.on('request', (request) => {
      if (request.url().endsWith('/v1/chat/completions')) asked.push(request.postDataJSON().model)
    })
    await page.getByRole('link', { name: 'Compare' }).click()
    await side(page, 'A')
      .getByRole('button', { name: /^Model: first/ })
      .waitFor()
    await side(page, 'B')
      .getByRole('button', { name: /^Model: second/ })
      .waitFor()
    for (const letter of ['A', 'B'] as const)
      await settle(page, letter, { Temperature: '0', 'Max tokens': '16' })
    await ask(page, 'Name a fruit.')
    await answered(page, 'A')
    await answered(page, 'B')
    expect(asked.toSorted()).toEqual(['first', 'second'])
    await side(page, 'B').getByRole('button', { name: 'Keep this one' }).click()
    await expect.poll(() => chatLinks(page).allTextContents()).toEqual(['Name a fruit.'])
    await page.getByRole('button', { name: /^Model: second/ }).waitFor()
    expect(complaints).toEqual([])
  })
})
