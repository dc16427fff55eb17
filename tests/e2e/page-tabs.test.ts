import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { openPage } from './support/browser.ts'
import { lastArticle, lastText, messageField } from './support/chat-page.ts'
import { sessionsInUse } from './support/metrics.ts'
import { useDefaultChat } from './support/default-chat.ts'

const subject = useDefaultChat()

const chatLinks = (page: Page) => page.getByRole('navigation', { name: 'Chats' }).locator('.chat-link')

async function openTab(context: BrowserContext, url = subject.server.url): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  return page
}

async function ask(page: Page, text: string): Promise<void> {
  await messageField(page).fill(text)
  await page.keyboard.press('Enter')
  await expect.poll(() => page.url()).toContain('#/c/')
}

const grownTo = (page: Page, length: number) =>
  expect
    .poll(async () => (await page.getByRole('article').count()) === 2 && (await lastText(page)).length)
    .toBeGreaterThan(length)

describe('two tabs of the page', () => {
  it('show the same: chats, an answer as it is written, names, pins, drafts, deletion and undo', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page: one, complaints } = watched
    const two = await openTab(one.context())
    two.on('pageerror', (error) => complaints.push(`second tab: ${error.message}`))
    const asked: string[] = []
    two.on('request', (request) => {
      if (request.url().includes('/v1/chat') || request.url().includes('/v1/answers'))
        asked.push(request.url())
    })

    await ask(one, 'Tell me a long story about a ship.')
    await chatLinks(two).first().click()
    await grownTo(two, 100)
    // As it is written, with its speed: not once a second from the database.
    const lengths = new Set<number>()
    const until = Date.now() + 2000
    while (Date.now() < until) {
      lengths.add((await lastText(two)).length)
      await two.waitForTimeout(50)
    }
    expect(lengths.size).toBeGreaterThan(6)
    expect(await lastText(two)).toMatch(/\d tokens\/s/)
    expect(asked).toEqual([])

    await two.getByRole('button', { name: 'Stop' }).click()
    await expect.poll(() => lastText(two)).toContain('Stopped')
    await expect.poll(() => lastText(one)).toContain('Stopped')
    await expect.poll(() => sessionsInUse(subject.server.url), { timeout: 5000 }).toBe(0)
    expect(await lastText(one)).toBe(await lastText(two))

    await messageField(one).fill('What about the crew?')
    await expect.poll(() => messageField(two).inputValue()).toBe('What about the crew?')

    await two.getByRole('button', { name: /^Actions for/ }).click()
    await two.getByRole('menuitem', { name: 'Rename' }).click()
    await two.getByRole('textbox', { name: 'Title of the chat' }).fill('Ships')
    await two.keyboard.press('Enter')
    await expect.poll(() => chatLinks(one).allTextContents()).toEqual(['Ships'])
    await two.getByRole('button', { name: 'Actions for “Ships”' }).click()
    await two.getByRole('menuitem', { name: 'Pin' }).click()
    await expect.poll(() => one.getByRole('region', { name: 'Pinned' }).count()).toBe(1)

    await one.getByRole('button', { name: 'Actions for “Ships”' }).click()
    await one.getByRole('menuitem', { name: 'Delete chat' }).click()
    await expect.poll(() => chatLinks(two).count()).toBe(0)
    await expect.poll(() => two.getByRole('article').count()).toBe(0)
    await one.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => chatLinks(two).allTextContents()).toEqual(['Ships'])
    await chatLinks(two).first().click()
    await expect.poll(() => lastText(two)).toContain('Stopped')
    expect(complaints).toEqual([])
  })

  it('share preferences and presets', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page: one } = watched
    const two = await openTab(one.context())
    await one.getByRole('button', { name: 'Settings' }).click()
    const dialog = one.getByRole('dialog', { name: 'Settings' })
    await dialog.getByLabel('Temperature').fill('0.2')
    await dialog.getByRole('button', { name: 'Save as preset…' }).click()
    await dialog.getByLabel('Name of the preset').fill('Calm')
    await one.keyboard.press('Enter')
    await two.getByRole('button', { name: 'Settings' }).click()
    await expect.poll(() => two.getByRole('combobox', { name: 'Preset' }).textContent()).toContain('Calm')
    await two.keyboard.press('Escape')
    await one.keyboard.press('Escape')
    await one.getByRole('button', { name: 'Hide chats' }).click()
    await expect.poll(() => two.getByRole('button', { name: 'Show chats' }).count()).toBe(1)
  })

  it('take an answer over when the tab that receives it is closed, without losing or doubling a word', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page: first } = watched
    await first.getByRole('button', { name: 'Settings' }).click()
    const dialog = first.getByRole('dialog', { name: 'Settings' })
    await dialog.getByLabel('Temperature').fill('0')
    await dialog.getByLabel('Max tokens').fill('250')
    await dialog.getByRole('button', { name: 'Save', exact: true }).click()
    await ask(first, 'Tell me a long story about a ship.')
    const done = (page: Page) =>
      expect
        .poll(() => lastArticle(page).getByRole('button', { name: 'Regenerate' }).count(), {
          timeout: 60_000,
        })
        .toBe(1)
    await done(first)
    const words = async (page: Page) => (await lastText(page)).replace(/(2\/2)?(Continue)?Cut at .*$/, '')
    const reference = await words(first)
    expect(reference.length).toBeGreaterThan(400)

    const second = await openTab(first.context(), first.url())
    const third = await openTab(first.context(), first.url())
    await first.getByRole('button', { name: 'Regenerate' }).click()
    await grownTo(second, 80)
    await first.close()
    await grownTo(third, 200)
    await second.close()
    await done(third)
    expect(await words(third)).toBe(reference)
    await expect.poll(() => third.getByRole('group', { name: 'Version 2 of 2' }).count()).toBe(1)
  })
})
