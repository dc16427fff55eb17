import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillDatabase, longChat } from '../../packages/web/dev/fill-database.ts'
import { longTour } from '../../packages/web/dev/scripts.ts'
import { launchBrowser, openPage, screenshot, type WatchedPage } from './support/browser.ts'
import { answered, articles, ask, lastArticle, lastText, messageField } from './support/chat-page.ts'
import { startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'

const MESSAGES = 400
/** Messages in and around the visible part; all others are their words only. */
const MAX_DRAWN = 40
/** One token is one byte: about 60 usual tokens a second. */
const BYTES_PER_SECOND = 240
/** The answer waits here until it is stopped: on a busy machine it could end before the test is done with it. */
const HELD_AT_BYTE = 3500

let server: ScriptedChat
let browser: Browser
beforeAll(async () => {
  let due = performance.now()
  server = await startScriptedChat({
    contextLength: 8192,
    specs: [{ id: 'scripted-small', displayName: 'Scripted' }],
    reply: () => longTour(1),
    async beforeStep({ step }) {
      if (step === 0) due = performance.now()
      if (step === HELD_AT_BYTE) await new Promise(() => {})
      due += 1000 / BYTES_PER_SECOND
      const early = due - performance.now()
      if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
    },
  })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

/** What is sent of it leaves room for a long answer. */
const { chats, messages } = longChat(MESSAGES, longTour(1))
const stored = { chats: chats.map((chat) => ({ ...chat, settings: { maxTokens: 4000 } })), messages }

async function openLongChat(): Promise<WatchedPage> {
  const watched = await openPage(browser, server.url)
  const { page } = watched
  await messageField(page).waitFor()
  await page.evaluate(fillDatabase, stored)
  await page.reload()
  await page.goto(`${server.url}/#/c/long`)
  await expect.poll(() => articles(page).count()).toBe(MESSAGES)
  return watched
}

/** Articles with more than their words: Markdown, buttons. */
const drawn = (page: Page): Promise<number> => articles(page).and(page.locator(':has(button)')).count()

/** Runs in the page: notes which parts of the conversation change from now on. */
function watchChanges(): void {
  const noted = globalThis as unknown as { changes: Record<string, number> }
  noted.changes = {}
  const region = document.querySelector('[role=region]')!
  new MutationObserver((records) => {
    for (const { target } of records) {
      const element = target instanceof Element ? target : target.parentElement
      const article = element?.closest('article')
      const all = [...region.querySelectorAll('article')]
      const block = element?.closest('.markdown > *')
      const where =
        article !== all.at(-1)
          ? 'another message'
          : !block
            ? 'around'
            : block.nextElementSibling
              ? 'an earlier block'
              : 'the last block'
      noted.changes[where] = (noted.changes[where] ?? 0) + 1
    }
  }).observe(region, { subtree: true, childList: true, characterData: true })
}

describe('a chat of 400 messages', () => {
  it('draws only what is near, wherever one scrolls', async () => {
    await using watched = await openLongChat()
    const { page, complaints } = watched
    expect(await drawn(page)).toBeLessThan(MAX_DRAWN)
    await expect.poll(() => lastArticle(page).isVisible()).toBe(true)
    await page.getByRole('region', { name: 'Conversation' }).hover()
    for (let step = 0; step < 20; step++) {
      await page.mouse.wheel(0, -3000)
      await page.waitForTimeout(30)
      expect(await drawn(page)).toBeLessThan(MAX_DRAWN)
    }
    await page.getByRole('button', { name: 'Jump to the newest message' }).click()
    await expect
      .poll(() => lastArticle(page).getByRole('button', { name: 'Regenerate' }).isVisible())
      .toBe(true)
    await screenshot(page, 'long-chat')
    expect(complaints).toEqual([])
  })

  it('takes an answer at 60 tokens a second: only its last block is drawn again, and no key is lost', async () => {
    await using watched = await openLongChat()
    const { page, complaints } = watched
    await ask(page, 'Show me everything')
    await expect.poll(async () => (await lastText(page)).length).toBeGreaterThan(200)
    await page.evaluate(watchChanges)
    const typed = 'what is written meanwhile '.repeat(4)
    await messageField(page).pressSequentially(typed, { delay: 30 })
    await expect.poll(async () => (await lastText(page)).length).toBeGreaterThan(2000)
    expect(await messageField(page).inputValue()).toBe(typed)
    const changes = await page.evaluate(
      () => (globalThis as unknown as { changes: Record<string, number> }).changes,
    )
    console.log(`While it streamed, changes were in: ${JSON.stringify(changes)}`)
    expect(changes['the last block']).toBeGreaterThan(20)
    expect(changes['another message'] ?? 0).toBeLessThan(20)
    // A block that is complete is coloured once, or its formula drawn, a moment after the next has begun.
    expect(changes['an earlier block'] ?? 0).toBeLessThan(changes['the last block']! / 2)
    expect(await drawn(page)).toBeLessThan(MAX_DRAWN)
    await page.getByRole('button', { name: 'Stop' }).click()
    await answered(page)
    expect(complaints).toEqual([])
  })
})
