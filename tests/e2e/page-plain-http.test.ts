import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, openPage, type WatchedPage } from './support/browser.ts'
import { answered, ask, finishedAnswer, lastAnswer, lastArticle, messageField } from './support/chat-page.ts'
import { questionOf, startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'

/** A name of the network that is no loopback: browsers hold its pages for insecure. */
const HOST = 'chat.test'
const help = 'Here: `npm start`, or [read on](https://docs.example/start).'
const story = Array.from({ length: 60 }, (_, index) => `word${index + 1}`).join(' ')

let server: ScriptedChat
let browser: Browser
let url: string
/** What the model waits for before its next byte. */
let pace: () => Promise<void> = async () => {}
beforeAll(async () => {
  server = await startScriptedChat({
    config: { trustedHosts: [HOST] },
    reply: (prompt) => (questionOf(prompt).includes('story') ? story : help),
    beforeStep: () => pace(),
  })
  url = `http://${HOST}:${new URL(server.url).port}`
  browser = await launchBrowser([`--host-resolver-rules=MAP ${HOST} 127.0.0.1`])
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

/** The page as it comes over plain http, with what its console complains of. */
async function openPlain(): Promise<WatchedPage> {
  const watched = await openPage(browser, 'about:blank')
  const { page } = watched
  const complaints: string[] = []
  page.on('pageerror', ({ message }) => complaints.push(message))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  await page.goto(url)
  await messageField(page).waitFor()
  return { ...watched, complaints }
}

const hasSecureParts = (page: Page): Promise<readonly boolean[]> =>
  page.evaluate(() => [
    isSecureContext,
    'locks' in navigator,
    'clipboard' in navigator,
    'randomUUID' in crypto,
  ])

/** What the clipboard holds, as a reader finds out: by pasting it. */
async function pasted(page: Page): Promise<string> {
  await messageField(page).fill('')
  await messageField(page).press('ControlOrMeta+v')
  return messageField(page).inputValue()
}

async function startStory(page: Page): Promise<void> {
  pace = () => new Promise((resolve) => setTimeout(resolve, 25))
  await ask(page, 'Tell me a story')
  await expect.poll(() => lastAnswer(page).catch(() => '')).toContain('word5')
}

describe('the page over plain http from another machine', () => {
  it('asks, goes on after a reload in mid-answer, and copies', async () => {
    await using watched = await openPlain()
    const { page, complaints } = watched
    expect(await hasSecureParts(page)).toEqual([false, false, false, false])
    await startStory(page)
    await page.reload()
    await expect.poll(() => lastArticle(page).getAttribute('aria-busy')).toBe('true')
    pace = async () => {}
    expect(await finishedAnswer(page)).toBe(story)

    await lastArticle(page).getByRole('button', { name: 'Copy' }).click()
    expect(await pasted(page)).toBe(story)
    await messageField(page).fill('')
    await ask(page, 'How is it started?')
    await answered(page)
    await lastArticle(page).getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Copy as Markdown' }).click()
    expect(await pasted(page)).toBe(help)
    await page.getByRole('button', { name: 'Actions for “Tell me a story”' }).focus()
    await page.keyboard.press('ControlOrMeta+Shift+c')
    expect(await pasted(page)).toBe(help)
    // In a dialog, outside of which nothing can be selected.
    await lastArticle(page).getByRole('link', { name: 'read on' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Copy link' }).click()
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0)
    expect(await pasted(page)).toBe('https://docs.example/start')
    expect(complaints).toEqual([])
  })

  it('takes an answer over from a tab that is closed', async () => {
    await using watched = await openPlain()
    const { page: first } = watched
    const second = await first.context().newPage()
    await second.goto(url)
    await messageField(second).waitFor()
    await startStory(first)
    await second.goto(first.url())
    await expect.poll(() => lastAnswer(second).catch(() => '')).toContain('word5')
    await first.close()
    pace = async () => {}
    expect(await finishedAnswer(second)).toBe(story)
  })
})
