import { readFile } from 'node:fs/promises'
import type { Locator, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { openPage, screenshot } from './support/browser.ts'
import { answered, ask, lastArticle, settle } from './support/chat-page.ts'
import { useDefaultChat } from './support/default-chat.ts'

const subject = useDefaultChat()

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
const chatLinks = (page: Page) =>
  page.getByRole('navigation', { name: 'Chats' }).locator('li').getByRole('link')

async function openPreferences(page: Page): Promise<Locator> {
  await page.getByRole('button', { name: 'Preferences' }).click()
  return page.getByRole('dialog', { name: 'Preferences' })
}

async function askAndWait(page: Page, text: string): Promise<void> {
  await ask(page, text)
  await answered(page)
}

/** A chat with one question, whose answer has two versions. */
async function chatWithVersions(page: Page, question: string): Promise<void> {
  await settle(page, 12)
  await askAndWait(page, question)
  await page.getByRole('button', { name: 'Regenerate' }).click()
  await page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
  await answered(page)
}

async function downloaded(page: Page, start: () => Promise<void>): Promise<{ name: string; text: string }> {
  const [download] = await Promise.all([page.waitForEvent('download'), start()])
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') }
}

async function importFile(page: Page, name: string, text: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Preferences' })
  const [chooser] = await Promise.all([
    page.waitForEvent('filechooser'),
    dialog.getByRole('button', { name: 'Import chats…' }).click(),
  ])
  await chooser.setFiles({ name, mimeType: 'application/json', buffer: Buffer.from(text) })
}

describe('preferences', () => {
  it('choose theme and language at once, and outlive a reload without a flash of others', async () => {
    await using watched = await openPage(subject.browser, subject.server.url, {
      colorScheme: 'light',
      locale: 'en-US',
    })
    const { page, complaints } = watched
    const html = page.locator('html')
    const ground = () => html.evaluate((element) => getComputedStyle(element).colorScheme)
    const dialog = await openPreferences(page)
    await screenshot(page, 'preferences-light')
    expect(await dialog.getByRole('radio', { name: 'System' }).isChecked()).toBe(true)
    expect(await html.getAttribute('data-theme')).toBeNull()
    await dialog.getByRole('radio', { name: 'System' }).focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    expect(await dialog.getByRole('radio', { name: 'Dark' }).isChecked()).toBe(true)
    await expect.poll(ground).toBe('dark')

    await dialog.getByLabel('Language').selectOption('Deutsch')
    await page.getByRole('dialog', { name: 'Einstellungen' }).waitFor()
    expect(await html.getAttribute('lang')).toBe('de')
    await screenshot(page, 'preferences-dark-german')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0)

    await page.addInitScript(() => {
      const seen: string[] = []
      Object.assign(window, { seen })
      const look = (): void => {
        seen.push(document.documentElement.dataset['theme'] ?? 'none')
        if (document.body?.textContent.includes('New chat')) seen.push('English')
      }
      new MutationObserver(look).observe(document, { childList: true, subtree: true })
      document.addEventListener('DOMContentLoaded', look)
    })
    await page.reload()
    await page.getByRole('link', { name: 'Neuer Chat' }).waitFor()
    expect(await html.getAttribute('lang')).toBe('de')
    const seen = await page.evaluate(() => (window as unknown as { seen: string[] }).seen)
    // The very first elements come before the script that knows the theme.
    expect(seen.slice(seen.indexOf('dark')).every((theme) => theme === 'dark')).toBe(true)
    expect(seen).not.toContain('English')
    expect(await page.locator('body').evaluate((body) => getComputedStyle(body).colorScheme)).toBe('dark')
    expect(await page.locator('meta[name=theme-color][media=all]').getAttribute('content')).toBe('#1a1418')

    await page.getByRole('button', { name: 'Einstellungen', exact: true }).click()
    const german = page.getByRole('dialog', { name: 'Einstellungen' })
    await german.getByRole('radio', { name: 'System' }).check()
    await german.getByLabel('Sprache').selectOption('Sprache des Browsers (English)')
    await page.getByRole('dialog', { name: 'Preferences' }).waitFor()
    expect(await ground()).toBe('light dark')
    expect(await html.getAttribute('lang')).toBe('en')
    expect(complaints).toEqual([])
  })

  it('speak the language of the browser where nothing is chosen, on a phone too', async () => {
    await using watched = await openPage(subject.browser, subject.server.url, {
      ...phone,
      locale: 'de-DE',
      colorScheme: 'dark',
    })
    const { page, complaints } = watched
    await page.getByRole('heading', { name: 'Worüber wollen wir reden?' }).waitFor()
    await page.getByRole('button', { name: 'Chats einblenden' }).click()
    await page.getByRole('button', { name: 'Einstellungen', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Einstellungen' })
    const { x = -1, width = 0 } = (await dialog.boundingBox()) ?? {}
    expect(x).toBeGreaterThanOrEqual(0)
    expect(x + width).toBeLessThanOrEqual(390)
    const overflow = await dialog.evaluate((element) => element.scrollWidth - element.clientWidth)
    expect(overflow).toBeLessThanOrEqual(0)
    await screenshot(page, 'preferences-phone-dark-german')
    expect(complaints).toEqual([])
  })
})

describe('export and import', () => {
  it('bring all chats into another browser, with their versions, once', async () => {
    await using from = await openPage(subject.browser, subject.server.url)
    await chatWithVersions(from.page, 'Name a fruit.')
    const answer = (await lastArticle(from.page).locator('.markdown').textContent()) ?? ''
    await from.page.getByRole('link', { name: 'New chat' }).click()
    await askAndWait(from.page, 'Name a river.')
    const dialog = await openPreferences(from.page)
    const file = await downloaded(from.page, () =>
      dialog.getByRole('button', { name: 'Export chats' }).click(),
    )
    expect(file.name).toMatch(/^petals-chat-\d{4}-\d\d-\d\d\.json$/)

    await using to = await openPage(subject.browser, subject.server.url)
    const other = await openPreferences(to.page)
    expect(await other.getByRole('button', { name: 'Export chats' }).isDisabled()).toBe(true)
    const news = other.getByRole('status')
    await importFile(to.page, 'letter.json', '{"dear": "friend"}')
    await expect.poll(() => news.textContent()).toContain('letter.json is not an export of Petals Chat')
    await importFile(to.page, 'half.json', file.text.slice(0, -20))
    await expect.poll(() => news.textContent()).toContain('half.json is not JSON, or it was cut off')
    await importFile(to.page, file.name, file.text)
    await expect.poll(() => news.textContent()).toBe('2 chats imported.')
    await importFile(to.page, file.name, file.text)
    await expect.poll(() => news.textContent()).toBe('0 chats imported. 2 chats were already here.')
    await screenshot(to.page, 'preferences-imported')
    await to.page.keyboard.press('Escape')

    await to.page.getByRole('link', { name: 'Name a fruit.' }).click()
    await to.page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
    expect(await lastArticle(to.page).locator('.markdown').textContent()).toBe(answer)
    await to.page.reload()
    await to.page.getByRole('button', { name: 'Previous version' }).click()
    await to.page.getByRole('group', { name: 'Version 1 of 2' }).waitFor()
    // It is a chat like any other.
    await askAndWait(to.page, 'And another one?')
    expect([...from.complaints, ...to.complaints]).toEqual([])
  })

  it('work for one chat, as JSON by a drop and as Markdown', async () => {
    await using from = await openPage(subject.browser, subject.server.url)
    const { page } = from
    await chatWithVersions(page, 'Name a tree.')
    const save = async (item: string) => {
      await chatLinks(page).first().hover()
      await page.getByRole('button', { name: 'Actions for “Name a tree.”' }).click()
      return downloaded(page, () => page.getByRole('menuitem', { name: item }).click())
    }
    const markdown = await save('Save as Markdown')
    expect(markdown.name).toBe('Name a tree.md')
    expect(markdown.text).toMatch(/^# Name a tree\.\n\n## You\n\nName a tree\.\n\n## /)
    const json = await save('Save as JSON')
    expect(json.name).toBe('Name a tree.json')

    await using to = await openPage(subject.browser, subject.server.url)
    const dialog = await openPreferences(to.page)
    const transfer = await to.page.evaluateHandle((text) => {
      const data = new DataTransfer()
      data.items.add(new File([text], 'tree.json', { type: 'application/json' }))
      return data
    }, json.text)
    const target = dialog.getByRole('region', { name: 'Your chats' })
    await target.dispatchEvent('dragover', { dataTransfer: transfer })
    await target.getByText('Drop an exported file here').waitFor()
    await target.dispatchEvent('drop', { dataTransfer: transfer })
    await expect.poll(() => target.getByRole('status').textContent()).toBe('1 chat imported.')
    await to.page.keyboard.press('Escape')
    await to.page.getByRole('link', { name: 'Name a tree.' }).click()
    await to.page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
    expect([...from.complaints, ...to.complaints]).toEqual([])
  })

  it('let all chats be deleted, and brought back', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page, complaints } = watched
    await chatWithVersions(page, 'Name a bird.')
    const dialog = await openPreferences(page)
    await dialog.getByRole('button', { name: 'Delete all chats…' }).click()
    const question = page.getByRole('dialog', { name: 'Delete all chats?' })
    await page.keyboard.press('Escape')
    await question.waitFor({ state: 'detached' })
    expect(await dialog.isVisible()).toBe(true)
    await dialog.getByRole('button', { name: 'Delete all chats…' }).click()
    await question.getByRole('button', { name: 'Delete all' }).click()
    await expect.poll(() => chatLinks(page).count()).toBe(0)
    await page.getByRole('group', { name: 'Notices' }).getByRole('button', { name: 'Undo' }).click()
    await chatLinks(page).first().click()
    await page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()

    await openPreferences(page)
    await dialog.getByRole('button', { name: 'Delete all chats…' }).click()
    await question.getByRole('button', { name: 'Delete all' }).click()
    await expect.poll(() => chatLinks(page).count()).toBe(0)
    await page.reload()
    await page.getByRole('textbox', { name: 'Message' }).waitFor()
    expect(await chatLinks(page).count()).toBe(0)
    expect(complaints).toEqual([])
  })
})

describe('shortcuts', () => {
  const isFocused = (field: Locator) => field.evaluate((element) => element === document.activeElement)

  it('are on a sheet, and do what it says', async () => {
    await using watched = await openPage(subject.browser, subject.server.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    const { page, complaints } = watched
    const { keyboard } = page
    const message = page.getByRole('textbox', { name: 'Message' })
    await expect.poll(() => isFocused(message)).toBe(true)

    await keyboard.press('Control+/')
    const sheet = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    expect(await sheet.getByText('Search chats').locator('xpath=..').textContent()).toBe('Search chatsCtrlK')
    await screenshot(page, 'shortcuts')
    // A dialog takes the keys first.
    await keyboard.press('Control+k')
    expect(await sheet.isVisible()).toBe(true)
    await keyboard.press('Escape')
    await expect.poll(() => isFocused(message)).toBe(true)

    await keyboard.press('Control+.')
    const settings = page.getByRole('dialog', { name: 'Settings' })
    await settings.getByLabel('Max tokens').fill('300')
    await keyboard.press('Enter')
    await settings.waitFor({ state: 'detached' })

    // What is typed is never taken.
    await keyboard.type('Tell me a story? c/k.')
    expect(await message.inputValue()).toBe('Tell me a story? c/k.')
    await keyboard.press('Enter')
    await expect.poll(async () => ((await lastArticle(page).textContent()) ?? '').length).toBeGreaterThan(30)
    await keyboard.press('Escape')
    await lastArticle(page).getByText('Stopped').waitFor()
    await keyboard.press('Control+Shift+Enter')
    await page.getByRole('button', { name: 'Stop', exact: true }).waitFor()
    await keyboard.press('Escape')
    await page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
    await keyboard.press('Control+Shift+Enter')
    await expect.poll(async () => ((await lastArticle(page).textContent()) ?? '').length).toBeGreaterThan(30)
    await keyboard.press('Escape')
    await answered(page)
    await keyboard.press('Control+Shift+c')
    await page.getByText('Copied').first().waitFor()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    expect(copied.length).toBeGreaterThan(10)

    await keyboard.press('Control+Shift+o')
    await page.getByRole('heading', { name: 'What shall we talk about?' }).waitFor()
    await expect.poll(() => isFocused(message)).toBe(true)
    await keyboard.type('Hello')
    await keyboard.press('Enter')
    await answered(page)
    const address = page.url()
    await keyboard.press('Alt+ArrowDown')
    await page.getByRole('article', { name: 'You' }).getByText('Tell me a story?').waitFor()
    await keyboard.press('Alt+ArrowUp')
    expect(page.url()).toBe(address)

    await keyboard.press('Control+Shift+s')
    const sidebar = page.getByRole('navigation', { name: 'Chats' })
    await expect.poll(() => sidebar.isVisible()).toBe(false)
    await keyboard.press('Control+k')
    const search = page.getByRole('textbox', { name: 'Search chats' })
    await expect.poll(() => isFocused(search)).toBe(true)
    // No answer has these letters: an answer to "Hello" may well tell a story.
    await keyboard.type('story? c/k.')
    await page.getByText('1 chat found').waitFor()
    await keyboard.press('Escape')
    expect(await search.inputValue()).toBe('')
    await keyboard.press('Shift+Escape')
    await expect.poll(() => isFocused(message)).toBe(true)
    expect(complaints).toEqual([])
  })
})
