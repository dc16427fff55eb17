import { describe, expect, it } from 'vitest'
import { openPage, screenshot } from './support/browser.ts'
import {
  answered,
  ask,
  finishedAnswer,
  lastAnswer,
  lastArticle,
  lastText,
  messageField,
  settle,
} from './support/chat-page.ts'
import { sessionsInUse } from './support/metrics.ts'
import { useDefaultChat } from './support/default-chat.ts'

const subject = useDefaultChat()

describe('an answer on the page', () => {
  it('goes on where it was after reloads and a cut connection, without losing or doubling a word', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page, complaints } = watched
    await settle(page, 200)
    await ask(page, 'Tell me a long story about a ship.')
    const reference = await finishedAnswer(page)
    expect(reference.length).toBeGreaterThan(300)

    await page.getByRole('button', { name: 'Regenerate' }).click()
    for (let reload = 0; reload < 3; reload++) {
      await page.waitForTimeout(400)
      await page.reload()
    }
    expect(await finishedAnswer(page)).toBe(reference)

    await page.getByRole('button', { name: 'Regenerate' }).click()
    await expect.poll(async () => (await lastText(page)).length).toBeGreaterThan(60)
    await page.context().setOffline(true)
    await page.waitForTimeout(1000)
    await page.context().setOffline(false)
    expect(await finishedAnswer(page)).toBe(reference)
    await expect.poll(() => page.getByRole('group', { name: 'Version 3 of 3' }).count()).toBe(1)
    expect(complaints).toEqual([])
  })

  it('is stopped on the server after a reload, too', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page } = watched
    await settle(page, 2000)
    await ask(page, 'Tell me a long story about a ship.')
    await expect.poll(async () => (await lastText(page)).length).toBeGreaterThan(30)
    await page.reload()
    await page.getByRole('button', { name: 'Stop' }).click()
    await expect.poll(() => lastText(page)).toContain('Stopped')
    await expect.poll(() => sessionsInUse(subject.server.url), { timeout: 5000 }).toBe(0)
  })

  it('has versions, and questions have branches, which are kept', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page, complaints } = watched
    await settle(page, 12)
    await ask(page, 'Name a fruit.')
    await answered(page)
    await page.getByRole('button', { name: 'Continue' }).click()
    await expect.poll(async () => /2[0-9] tokens/.test(await answered(page))).toBe(true)
    const fruit = await lastAnswer(page)

    const question = page.getByRole('article', { name: 'You' })
    await question.hover()
    await question.getByRole('button', { name: 'Edit' }).click()
    await page.getByRole('textbox', { name: 'Edit your message' }).fill('Name a river.')
    await page.keyboard.press('Enter')
    expect(await finishedAnswer(page)).not.toBe(fruit)
    expect(await question.textContent()).toContain('river')

    await page.reload()
    await expect.poll(() => question.textContent()).toContain('river')
    await question.hover()
    await question.getByRole('button', { name: 'Previous version' }).click()
    await expect.poll(() => question.textContent()).toContain('fruit')
    expect(await lastAnswer(page)).toBe(fruit)
    await screenshot(page, 'versions')

    await lastArticle(page).getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Delete from here on' }).click()
    await expect.poll(() => page.getByRole('article').count()).toBe(1)
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => lastAnswer(page)).toBe(fruit)
    expect(complaints).toEqual([])
  })

  it('reads files that are attached, and drafts outlive a reload', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page, complaints } = watched
    await settle(page, 24)
    await messageField(page).fill('What is the password in this file?')
    await page.locator('input[type=file]').setInputFiles([
      { name: 'secret.txt', mimeType: 'text/plain', buffer: Buffer.from('The password is: tulip\n') },
      { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from([0x89, 0x50, 0, 1]) },
    ])
    await expect.poll(() => page.getByText('photo.png is not a text file').count()).toBe(1)
    await expect.poll(() => page.getByRole('button', { name: 'Read secret.txt' }).count()).toBe(1)
    await page.reload()
    await expect.poll(() => messageField(page).inputValue()).toBe('What is the password in this file?')
    await messageField(page).press('Enter')
    expect(await answered(page)).toMatch(/tulip/i)
    await page.getByRole('button', { name: 'Read secret.txt' }).click()
    await expect.poll(() => page.getByText('The password is: tulip').count()).toBe(1)
    expect(complaints).toEqual([])
  })
})
