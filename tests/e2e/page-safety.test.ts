import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, openPage, screenshot, type WatchedPage } from './support/browser.ts'
import { ask, lastArticle } from './support/chat-page.ts'
import { questionOf, startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'
import { xssPayloads } from './support/xss-payloads.ts'

let server: ScriptedChat
let browser: Browser
/** What the model waits for before its next byte. */
let pace: () => Promise<void> = async () => {}
/** What the model has said: it repeats what it is told, so that each attack is the reader's text and the model's. */
const said = new Set<string>()
const repeat = (prompt: string): string => {
  const question = questionOf(prompt)
  said.add(question)
  return question
}
beforeAll(async () => {
  server = await startScriptedChat({ reply: repeat, beforeStep: () => pace() })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

const all = Object.values(xssPayloads).flat()
const SEPARATOR = '\n\n'
/** All of them in fewer messages, each attack with a beginning and an end as if it were alone. */
const messages = inMessages(all)
const CHAT_LENGTH = 12
const PAGES = 2

/** Notes reports of the policy, also where the console is silent, and windows that open. */
async function openWatched(): Promise<WatchedPage> {
  const watched = await openPage(browser, server.url)
  const { page, complaints } = watched
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`)
  })
  page.context().on('page', () => complaints.push('a window opened'))
  page.on('framenavigated', (frame) => {
    if (frame !== page.mainFrame() || !frame.url().startsWith(server.url))
      complaints.push(`frame at ${frame.url()}`)
  })
  await page.exposeFunction('noteViolation', (text: string) => void complaints.push(text))
  await page.addInitScript(watchPolicy)
  await page.reload()
  return watched
}

/** Runs in the page. */
function watchPolicy(): void {
  const { noteViolation } = globalThis as unknown as { noteViolation: (text: string) => void }
  addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI, sample }) =>
    noteViolation(`policy: ${violatedDirective} ${blockedURI} ${sample}`),
  )
}

/** Runs in the page: waits for the answer to the last question, and tells what should not be in it or around. */
async function finishedAnswer(count: number): Promise<readonly string[]> {
  const last = (): Element | undefined => [...document.querySelectorAll('article')].at(-1)
  const done = (): boolean =>
    document.querySelectorAll('article').length === count &&
    last()?.getAttribute('aria-busy') === 'false' &&
    last()?.querySelector('.answer-facts span') !== null
  const deadline = performance.now() + 20_000
  while (!done()) {
    if (performance.now() > deadline) return ['there is no answer']
    await new Promise((resolve) => requestAnimationFrame(resolve))
  }
  // Code in colours and formulas come a moment later.
  await new Promise((resolve) => setTimeout(resolve, 20))
  const found: string[] = []
  if ('xss' in window) found.push('a script ran')
  const written = 'article :is(.markdown, .thoughts, .user-bubble)'
  const forbidden = `script, style, link, meta, base, img, picture, video, audio, source, track, iframe, frame, object,
    embed, form, input, select, template, noscript, portal, foreignObject, image, use, animate, slot`
  for (const part of document.querySelectorAll(written)) {
    for (const element of part.querySelectorAll('*')) {
      if (element.matches(forbidden)) found.push(`element ${element.outerHTML.slice(0, 200)}`)
      const bare = element.matches('.markdown :is(br, sub, sup, kbd, mark, u, ins, del, details, summary)')
      if (bare && element.getAttributeNames().some((name) => name !== 'dir' && name !== 'open'))
        found.push(`attributes of ${element.outerHTML.slice(0, 200)}`)
      for (const { name, value } of element.attributes) {
        if (/^on|^srcdoc$|^ping$|^is$/.test(name))
          found.push(`attribute ${name} of ${element.outerHTML.slice(0, 200)}`)
        if (/href|src|action/.test(name) && !/^(https?|mailto):/.test(value)) found.push(`address ${value}`)
        if (name === 'style' && value.includes('url(')) found.push(`style ${value}`)
      }
    }
  }
  return found
}

/** Asks each in turn, in chats of a few messages. */
async function repeatAll(page: Page, payloads: readonly string[], complaints: string[]): Promise<void> {
  for (const [index, payload] of payloads.entries()) {
    const turn = index % CHAT_LENGTH
    if (turn === 0 && index > 0) await page.getByRole('button', { name: 'New chat' }).click()
    await ask(page, payload)
    for (const found of await page.evaluate(finishedAnswer, 2 * (turn + 1)))
      complaints.push(`${JSON.stringify(payload)}: ${found}`)
  }
}

describe('hostile text', () => {
  it('is 500 attacks at least, no two alike, and none is left out', () => {
    expect(new Set(all).size).toBe(all.length)
    expect(all.length).toBeGreaterThanOrEqual(500)
    expect(messages.join('').length).toBeGreaterThanOrEqual(all.join('').length)
    expect(all.filter((payload) => !messages.some((message) => message.includes(payload)))).toEqual([])
  })

  it('does nothing but to be shown, as model output and as user text', async () => {
    const repeatPart = async (part: number): Promise<readonly string[]> => {
      await using watched = await openWatched()
      const mine = messages.filter((_, index) => index % PAGES === part)
      await repeatAll(watched.page, mine, watched.complaints)
      return watched.complaints
    }
    const parts = Array.from({ length: PAGES }, (_, part) => repeatPart(part))
    expect((await Promise.all(parts)).flat()).toEqual([])
    // After an answer without words (thoughts only) the page sends two questions as one.
    const everything = [...said]
    expect(messages.filter((message) => !everything.some((text) => text.endsWith(message)))).toEqual([])
  })

  it('does nothing when its stream is cut at any position, one of each kind', async () => {
    await using watched = await openWatched()
    const { page, complaints } = watched
    const samples = Object.values(xssPayloads).flatMap((payloads) => shortest(payloads, 2))
    let cuts = 0
    pace = async () => {
      cuts++
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)))
    }
    try {
      await repeatAll(page, samples, complaints)
    } finally {
      pace = async () => {}
    }
    expect(cuts).toBeGreaterThan(samples.join('').length)
    expect(complaints).toEqual([])
  })

  it('shows where its links lead before they are followed', async () => {
    await using watched = await openWatched()
    const { page, complaints } = watched
    await repeatAll(
      page,
      ['[https://bank.example](https://evil.example/login) [аррӏе.com](https://аррӏе.com)'],
      complaints,
    )
    for (const [name, host] of [
      ['https://bank.example', 'evil.example'],
      ['аррӏе.com', 'xn--80ak6aa92e.com'],
    ] as const) {
      await lastArticle(page).getByRole('link', { name }).click()
      const dialog = page.getByRole('dialog', { name: 'Open this link?' })
      await expect.poll(() => dialog.textContent()).toContain(`to ${host}.`)
      await screenshot(page, 'link')
      await page.keyboard.press('Escape')
      await expect.poll(() => dialog.count()).toBe(0)
    }
    expect(complaints).toEqual([])
  })
})

describe('the policy of the page', () => {
  it('holds in the browser: no inline script, no eval, no markup from strings, no other host', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    const outcome = await page.evaluate(tryEverything, server.url)
    expect(outcome).toEqual({
      inline: 'refused',
      eval: 'refused',
      markup: 'refused',
      policy: 'refused',
      elsewhere: 'refused',
      ran: false,
    })
  })

  it('lets the page be in no frame', async () => {
    const framing = createServer((_, response) => {
      response.setHeader('content-type', 'text/html')
      response.end(`<iframe src="${server.url}/"></iframe>`)
    })
    await new Promise<void>((resolve) => framing.listen(0, '127.0.0.1', resolve))
    const { port } = framing.address() as AddressInfo
    await using watched = await openPage(browser, `http://127.0.0.1:${port}/`)
    const { page, complaints } = watched
    await expect.poll(() => complaints.join()).toMatch(/frame-ancestors 'none'/)
    expect(page.frames().map((frame) => frame.url())).not.toContain(`${server.url}/`)
    framing.close()
  })

  it('lets the service worker and the parts that load later in', async () => {
    await using watched = await openWatched()
    const { page, complaints } = watched
    await repeatAll(page, ['```js\nconst a = 1\n```\n\n$$\\frac{1}{2}$$'], complaints)
    await expect.poll(() => lastArticle(page).locator('.hljs-keyword').count()).toBe(1)
    await expect.poll(() => lastArticle(page).locator('.katex').count()).toBe(1)
    const worker = await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.scriptURL)
    expect(worker).toBe(`${server.url}/sw.js`)
    expect(complaints).toEqual([])
  })
})

/** Runs in the page: what a script that got in would try. */
async function tryEverything(origin: string): Promise<object> {
  const outcome: Record<string, unknown> = {}
  const attempt = (name: string, run: () => unknown): void => {
    try {
      run()
      outcome[name] = 'done'
    } catch {
      outcome[name] = 'refused'
    }
  }
  const { trustedTypes } = globalThis as unknown as {
    trustedTypes: { createPolicy(name: string, rules: object): unknown }
  }
  // DevTools, by which tests run code, may do more than a page: what comes later is the page's own.
  await new Promise((resolve) => setTimeout(resolve, 50))
  attempt('eval', () => (0, eval)('window.xss=1'))
  attempt('markup', () => (document.createElement('p').innerHTML = '<b>x</b>'))
  attempt('inline', () => (document.createElement('script').text = 'window.xss=1'))
  attempt('policy', () => trustedTypes.createPolicy('another', {}))
  await fetch(origin.replace('127.0.0.1', 'localhost')).then(
    () => (outcome['elsewhere'] = 'done'),
    () => (outcome['elsewhere'] = 'refused'),
  )
  const button = document.createElement('button')
  attempt('handler', () => button.setAttribute('onclick', 'window.xss=1'))
  button.click()
  delete outcome['handler']
  outcome['ran'] = 'xss' in window
  return outcome
}

/**
 * Joins attacks by blank lines. One that may take in what follows (an open fence, formula, comment or tag, a
 * reference that would win over the next of its name) is the last of its message; one that counts only where a text
 * begins is alone.
 */
function inMessages(payloads: readonly string[]): readonly string[] {
  const {
    alone = [],
    last = [],
    any = [],
  } = Object.groupBy(payloads, (payload) =>
    /<\/?think|^---/.test(payload)
      ? 'alone'
      : /[`$~]|\\[[(]|\]:|<[!?]|<(script|style|pre|textarea)\b/i.test(payload)
        ? 'last'
        : 'any',
  )
  const perMessage = Math.ceil(any.length / last.length)
  const joined = last.map((payload, index) =>
    [...any.slice(index * perMessage, (index + 1) * perMessage), payload].join(SEPARATOR),
  )
  return [...alone, ...joined]
}

function shortest(payloads: readonly string[], count: number): readonly string[] {
  return payloads.toSorted((a, b) => a.length - b.length).slice(0, count)
}
