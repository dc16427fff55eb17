import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, openPage, screenshot } from './support/browser.ts'
import { answered, articles, ask, lastAnswer, lastText, messageField } from './support/chat-page.ts'
import { startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'

const DRAFT = 'What I write meanwhile'
/** Longer than the page takes a click on Send, or a key, for one that was meant for Stop. */
const UNSEEN_MS = 500

let server: ScriptedChat
let browser: Browser
/** What the model waits for before its next byte. */
let pace: () => Promise<void> = async () => {}
beforeAll(async () => {
  server = await startScriptedChat({ reply: () => 'One. '.repeat(20), beforeStep: () => pace() })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

/** Asks, writes a draft, and gives what lets the answer, of which a part is there, come to its end. */
async function askAndWrite(page: Page): Promise<() => void> {
  const gate = Promise.withResolvers<void>()
  let steps = 0
  pace = () => (steps++ < 30 ? Promise.resolve() : gate.promise)
  await ask(page, 'Count')
  await expect.poll(() => lastText(page)).toContain('One. One.')
  await messageField(page).fill(DRAFT)
  return gate.resolve
}

const sendButton = (page: Page) => page.getByRole('button', { name: 'Send', disabled: false })
const stopButton = (page: Page) => page.getByRole('button', { name: 'Stop' })

/** Not before all that a page does at once has been done. */
async function expectDraftKept(page: Page): Promise<void> {
  await page.waitForTimeout(50)
  expect(await messageField(page).inputValue()).toBe(DRAFT)
  expect(await articles(page).count()).toBe(2)
}

describe('a draft is not sent by what was meant for Stop', () => {
  it('when the answer ends between the press and the release of the button', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    const finish = await askAndWrite(page)
    await stopButton(page).hover()
    await page.mouse.down()
    finish()
    await sendButton(page).waitFor()
    await page.waitForTimeout(UNSEEN_MS)
    await page.mouse.up()
    await expectDraftKept(page)
    await sendButton(page).click()
    await expect.poll(() => articles(page).count()).toBe(4)
    expect(complaints).toEqual([])
  })

  it('when it ends just before the click, or the click is a double one', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    await askAndWrite(page)
    await stopButton(page).dblclick()
    await expect.poll(() => lastText(page)).toContain('Stopped')
    await expectDraftKept(page)
    await page.waitForTimeout(UNSEEN_MS)
    await sendButton(page).click()
    await expect.poll(() => articles(page).count()).toBe(4)
    expect(complaints).toEqual([])
  })

  it('when it ends under a keyboard, which goes on in the field', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    const finish = await askAndWrite(page)
    await page.keyboard.press('Tab')
    await stopButton(page).and(page.locator(':focus-visible')).waitFor()
    finish()
    await messageField(page).and(page.locator(':focus')).waitFor()
    await page.keyboard.press('Enter')
    await expectDraftKept(page)
    await page.waitForTimeout(UNSEEN_MS)
    await page.keyboard.press('Enter')
    await expect.poll(() => articles(page).count()).toBe(4)
    expect(complaints).toEqual([])
  })

  it('but is by Enter in the field, as soon as the answer has ended', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    const finish = await askAndWrite(page)
    finish()
    await sendButton(page).waitFor()
    await messageField(page).press('Enter')
    await expect.poll(() => articles(page).count()).toBe(4)
  })
})

/** Runs in the page: notes what is offered below an answer while it is written. */
function watchOffers(): void {
  const noted = globalThis as unknown as { offers: string[] }
  noted.offers = []
  const look = (): void => {
    for (const answer of document.querySelectorAll('article[aria-busy=true]'))
      if (answer.querySelector('[aria-label=Regenerate]')) noted.offers.push(answer.textContent)
  }
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true })
}

describe('an answer that is being written', () => {
  it('is at no moment said to be another tab’s, nor offered to be written again', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    await page.addInitScript(watchOffers)
    await page.reload()
    const offers = () => page.evaluate(() => (globalThis as unknown as { offers: string[] }).offers)
    const finish = await askAndWrite(page)
    expect(await offers()).toEqual([])
    await page.reload()
    await stopButton(page).waitFor()
    finish()
    await answered(page)
    expect(await offers()).toEqual([])

    await page.getByRole('button', { name: 'Regenerate' }).click()
    await page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
    await askAndWrite(page)
    await stopButton(page).click()
    await expect.poll(() => lastText(page)).toContain('Stopped')
    pace = async () => {}
    await page.getByRole('button', { name: 'Continue' }).click()
    await expect.poll(() => lastText(page)).not.toContain('Stopped')
    await answered(page)
    expect(await offers()).toEqual([])
    expect(complaints).toEqual([])
  })
})

describe('an answer that fills the context', () => {
  it('is continued from its end, and a stopped one counts', async () => {
    // A token is a byte.
    await using small = await startScriptedChat({ contextLength: 600, reply: () => 'word '.repeat(400) })
    await using watched = await openPage(browser, small.url)
    const { page, complaints } = watched
    await ask(page, 'Write')
    await expect.poll(() => answered(page)).toContain('Cut at the length limit')
    const length = async () => (await lastAnswer(page)).length
    const first = await length()
    expect(first).toBeGreaterThan(300)
    await page.getByRole('button', { name: 'Continue' }).click()
    await expect.poll(length).toBeGreaterThan(first + 50)
    expect(await answered(page)).toContain('Cut at the length limit')
    expect(await page.getByRole('note').textContent()).toContain('saw only its end')
    expect(await page.getByRole('alert').filter({ hasText: /\S/ }).count()).toBe(0)
    const used = await page.getByRole('meter', { name: 'Context' }).getAttribute('aria-valuetext')
    expect(used).toMatch(/^[3-6]\d\d of 600 tokens/)
    expect(complaints).toEqual([])
  })
})

describe('an answer that waits for a server of the swarm', () => {
  it('says for which blocks, and until when, and goes on', async () => {
    const until = new Date()
    until.setHours(14, 3, 5, 0)
    const comes = Promise.withResolvers<void>()
    await using waiting = await startScriptedChat({
      name: 'petals',
      specs: [{ engine: 'petals' }],
      reply: () => 'Here it is.',
      wait: { blocks: [{ start: 12, end: 19 }], since: Date.now(), until: until.getTime() },
      waitEnds: comes.promise,
    })
    await using watched = await openPage(browser, waiting.url, { locale: 'en-GB' })
    const { page, complaints } = watched
    await ask(page, 'Hello')
    const words = 'Waiting until 14:03:05 for a server with blocks 12–18'
    await expect.poll(() => lastText(page)).toContain(words)
    await expect.poll(() => page.getByRole('status').allTextContents()).toContain(words)
    await screenshot(page, 'waiting-for-a-server')
    comes.resolve()
    await expect.poll(() => answered(page)).toContain('Here it is.')
    expect(await lastText(page)).not.toContain('Waiting')
    expect(complaints).toEqual([])
  })
})

describe('on a phone', () => {
  it('Enter begins a line, and Send sends', async () => {
    pace = async () => {}
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }
    await using watched = await openPage(browser, server.url, phone)
    const { page, complaints } = watched
    await messageField(page).fill('Hello')
    await page.keyboard.press('Enter')
    await page.keyboard.type('there')
    expect(await messageField(page).inputValue()).toBe('Hello\nthere')
    await sendButton(page).click()
    await answered(page)
    expect(await page.getByRole('article', { name: 'You' }).textContent()).toContain('there')
    expect(complaints).toEqual([])
  })
})
