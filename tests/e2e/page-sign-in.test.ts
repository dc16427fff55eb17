import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startOpenIdServer } from '../../packages/gateway/src/fixtures/openid-server.ts'
import { TestCallers } from '../../packages/gateway/src/fixtures/test-callers.ts'
import { bringAxe, tabTo, untilStill, violationsOf } from './support/accessibility.ts'
import { launchBrowser, openPage, screenshot } from './support/browser.ts'
import { answered, ask, lastArticle, lastText, messageField } from './support/chat-page.ts'
import { parrot, startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'

const callers = new TestCallers().add('ada-key').add('bob-key')
/** The model awaits this before each of its bytes. */
let pace: (step: number) => Promise<void> = async () => {}
let server: ScriptedChat
let browser: Browser
beforeAll(async () => {
  server = await startScriptedChat({ ...parrot((step) => pace(step)), callers: [callers] })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

const keyField = (page: Page) => page.getByLabel('API key')
const signOutButton = (page: Page) => page.getByRole('button', { name: 'Sign out' })

async function signIn(page: Page, key: string): Promise<void> {
  await keyField(page).fill(key)
  await keyField(page).press('Enter')
  await messageField(page).waitFor()
}

describe('with a key', () => {
  it('the reader signs in, chats, signs out, and finds the chat again', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    await page.getByRole('heading', { name: 'Sign in to chat' }).waitFor()
    expect(await messageField(page).count()).toBe(0)
    expect(await page.getByText('The server doesn’t list its models.').count()).toBe(0)
    await keyField(page).fill('a-wrong-key')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('This key is not valid here.').waitFor()
    expect(await keyField(page).getAttribute('aria-invalid')).toBe('true')
    await signIn(page, 'ada-key')
    await page.getByText('Signed in as ada-key').waitFor()
    await ask(page, 'A lighthouse')
    expect(await answered(page)).toContain('You said: A lighthouse')
    // The key is neither in the page nor in what it stores.
    expect(await page.evaluate(() => JSON.stringify({ ...localStorage }) + document.cookie)).not.toContain(
      'ada-key',
    )

    await signOutButton(page).click()
    await keyField(page).waitFor()
    expect(await lastText(page)).toContain('You said: A lighthouse')
    expect(await messageField(page).count()).toBe(0)
    await page.reload()
    await keyField(page).waitFor()
    expect(await lastText(page)).toContain('You said: A lighthouse')
    await signIn(page, 'bob-key')
    await page.getByText('Signed in as bob-key').waitFor()
    expect(complaints).toEqual([])
  })

  it('a WebSocket of a page, which can set no headers, takes the key from its first message', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await keyField(page).waitFor()
    const talk = (key: string) =>
      page.evaluate(async (apiKey) => {
        const socket = new WebSocket(`ws://${location.host}/api/v2/generate`)
        const said: string[] = []
        socket.onopen = () => {
          socket.send(JSON.stringify({ type: 'open_inference_session', max_length: 64, api_key: apiKey }))
          socket.send(JSON.stringify({ type: 'generate', inputs: 'Hi', max_new_tokens: 2 }))
        }
        socket.onmessage = ({ data }) => {
          if (said.push(JSON.stringify((JSON.parse(data as string) as { ok: boolean }).ok)) === 2)
            socket.close()
        }
        const { code } = await new Promise<CloseEvent>((resolve) => (socket.onclose = resolve))
        return [...said, code]
      }, key)
    expect(await talk('ada-key')).toEqual(['true', 'true', 1005])
    expect(await talk('a-wrong-key')).toEqual(['false', 3000])
  })

  it('one tab signs the others in and out', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    const other = await page.context().newPage()
    await other.goto(server.url)
    await keyField(other).waitFor()
    await signIn(page, 'ada-key')
    await messageField(other).waitFor()
    await signOutButton(other).click()
    await keyField(page).waitFor()
  })

  it('a key that is revoked while an answer streams ends the answer, keeps its text, and asks to sign in', async () => {
    callers.add('short-key')
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await signIn(page, 'short-key')
    const gate = Promise.withResolvers<void>()
    pace = async (step) => (step > 12 ? gate.promise : undefined)
    try {
      await ask(page, 'Half of it')
      await expect.poll(() => lastText(page)).toContain('You said')
      callers.revoke('short-key')
      await page.getByText('Your sign-in ended while this answer was written.').waitFor()
    } finally {
      pace = async () => {}
      gate.resolve()
    }
    await page.getByText('Your sign-in has ended. Please sign in again to go on.').waitFor()
    expect(await lastText(page)).toContain('You said')
    expect(await lastArticle(page).getByRole('button', { name: 'Retry' }).count()).toBe(0)
    await screenshot(page, 'sign-in-ended')
    await signIn(page, 'ada-key')
    await lastArticle(page).getByRole('button', { name: 'Retry' }).click()
    await expect.poll(() => lastText(page)).toContain('You said: Half of it')
  })
})

describe('what the server refuses', () => {
  const refuse = (page: Page, status: number, code: string, headers: Record<string, string> = {}) =>
    page.route('**/v1/chat/completions', (route) =>
      route.fulfill({
        status,
        headers,
        json: { error: { message: 'Limit of tokens per minute: 1000.', type: 'error', param: null, code } },
      }),
    )

  it('429: it says when the reader can go on, and counts down', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await signIn(page, 'ada-key')
    await page.clock.install()
    await refuse(page, 429, 'rate_limit_exceeded', { 'retry-after': '40' })
    await ask(page, 'Too much')
    await page.getByText('You have reached your limit on this server.').waitFor()
    await page.getByText(/^You can go on in (40|3\d) seconds\.$/).waitFor()
    const retry = lastArticle(page).getByRole('button', { name: 'Retry' })
    expect(await retry.isDisabled()).toBe(true)
    await screenshot(page, 'rate-limit')
    await page.clock.runFor(10_000)
    await page.getByText(/^You can go on in (30|2\d) seconds\.$/).waitFor()
    await page.clock.runFor(31_000)
    await page.getByText('You can go on now.').waitFor()
    await page.unroute('**/v1/chat/completions')
    await retry.click()
    await expect.poll(() => lastText(page)).toContain('You said: Too much')
  })

  it('403: it says that the sign-in does not allow it', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await signIn(page, 'ada-key')
    await refuse(page, 403, 'scope_required')
    await ask(page, 'Not mine')
    await page.getByText('You may not do this with your sign-in.').waitFor()
    expect(await messageField(page).count()).toBe(1)
  })

  it('413: it says that the message is too large, and lets the reader shorten it', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await signIn(page, 'ada-key')
    // As nginx says it.
    await page.route('**/v1/chat/completions', (route) => route.fulfill({ status: 413, body: '<html>' }))
    await ask(page, 'Far too long')
    await page.getByText('too large for this server').waitFor()
    await screenshot(page, 'too-large')
    await page.unroute('**/v1/chat/completions')
    await page.getByRole('button', { name: 'Shorten your message' }).click()
    await page.keyboard.type('Short')
    await page.keyboard.press('Enter')
    await expect.poll(() => lastText(page)).toContain('You said: ')
  })
})

describe('in the middle of an answer', () => {
  interface Refusal {
    readonly status: number
    readonly code?: string
    readonly seconds?: number
  }

  /** Cuts an answer after some words; the first requests for the rest are refused. Returns what lets the rest be written. */
  async function cutAnswer(page: Page, refusals: Refusal[]): Promise<() => void> {
    const gate = Promise.withResolvers<void>()
    pace = async (step) => (step > 12 ? gate.promise : undefined)
    await page.route('**/v1/answers/*/stream', (route) => {
      const refusal = refusals.shift()
      if (refusal === undefined) return route.continue()
      const { status, code, seconds } = refusal
      const headers = seconds === undefined ? {} : { 'retry-after': String(seconds) }
      const error = { message: 'In other words.', type: 'error', param: null, code }
      return route.fulfill({
        status,
        headers,
        ...(code ? { json: { error } } : { body: '<html>Bad gateway' }),
      })
    })
    await ask(page, 'A lighthouse by the sea')
    await expect.poll(() => lastText(page)).toContain('You said')
    // Once the network is back, the page takes no connection from before for alive.
    await page.context().setOffline(true)
    await page.context().setOffline(false)
    return () => {
      pace = async () => {}
      gate.resolve()
    }
  }

  it('a server that is away, or has no room for a moment, costs a pause and no word', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await signIn(page, 'ada-key')
    const goOn = await cutAnswer(page, [
      { status: 502 },
      { status: 503, code: 'keys_unavailable', seconds: 1 },
      { status: 429, code: 'rate_limit_exceeded', seconds: 1 },
    ])
    try {
      await page.getByText('The server is busy. Trying again…').waitFor()
      await page.getByText('It goes on in a moment…').waitFor()
      await screenshot(page, 'mid-answer-wait')
    } finally {
      goOn()
    }
    await expect.poll(() => answered(page)).toContain('You said: A lighthouse by the sea')
    expect((await lastText(page)).match(/You said/g)).toHaveLength(1)
  })

  const refusals: readonly (readonly [Refusal, RegExp])[] = [
    [{ status: 403, code: 'scope_required' }, /You may not do this with your sign-in\./],
    [{ status: 503, code: 'model_unavailable', seconds: 60 }, /The model can’t answer right now\./],
    [{ status: 429, code: 'rate_limit_exceeded', seconds: 600 }, /You can go on in 10 minutes\./],
  ]

  it('a refusal is told in words, the text so far stays, and can be continued', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await signIn(page, 'ada-key')
    for (const [refusal, words] of refusals) {
      const goOn = await cutAnswer(page, [refusal])
      try {
        await page.getByText(words).waitFor()
        await screenshot(page, `mid-answer-${refusal.status}`)
      } finally {
        goOn()
      }
      const continueButton = page.getByRole('button', { name: 'Continue' })
      if (refusal.status === 429) {
        expect(await continueButton.isDisabled()).toBe(true)
        await page.clock.setFixedTime(Date.now() + refusal.seconds! * 1000)
        await page.reload()
        await page.getByText('You can go on now.').waitFor()
      }
      expect(await lastText(page)).toContain('You said')
      await continueButton.click()
      await lastArticle(page).getByRole('alert').waitFor({ state: 'detached' })
      expect(await answered(page)).toContain('You said')
      await page.unroute('**/v1/answers/*/stream')
    }
  })
})

describe('through a provider', () => {
  it('the reader goes there, signs in, and comes back to the chat that was open', async () => {
    const accounts = {
      ada: { name: 'Ada Lovelace', email: 'ada@example.org', email_verified: true },
      eve: { name: 'Eve', email: 'eve@example.com', email_verified: true },
    }
    await using provider = await startOpenIdServer({ accounts })
    const { issuer, clientId, clientSecret } = provider
    const openid = { issuer, clientId, clientSecret, users: ['@example.org'], name: 'Lab' }
    await using lab = await startScriptedChat({
      ...parrot(async () => {}),
      config: { signIn: { openid } },
    })
    provider.register(`${lab.url}/sign-in/callback`)
    await using watched = await openPage(browser, lab.url)
    const { page } = watched
    const signInAs = async (login: string): Promise<void> => {
      await page.getByRole('link', { name: 'Sign in with Lab' }).click()
      await page.getByPlaceholder('Enter any login').fill(login)
      await page.getByPlaceholder('and password').fill('any')
      await page.getByRole('button', { name: 'Sign-in' }).click()
      await page.getByRole('button', { name: 'Continue' }).click()
      await page.waitForURL(`${lab.url}/**`)
    }
    await signInAs('eve')
    await page.getByText('Your account may not use this server.').waitFor()
    expect(new URL(page.url()).search).toBe('')
    await page.context().clearCookies()
    await signInAs('ada')
    await page.getByText('Signed in as Ada Lovelace').waitFor()
    await ask(page, 'Hello')
    await answered(page)
    const chat = page.url()
    await signOutButton(page).click()
    await page.getByRole('link', { name: 'Sign in with Lab' }).click()
    // The provider still knows her.
    await page.waitForURL(chat)
    await page.getByText('Signed in as Ada Lovelace').waitFor()
    expect(await lastText(page)).toContain('You said: Hello')
  })
})

describe('the sign-in', () => {
  const phone = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true }
  const looks: readonly (readonly [string, BrowserContextOptions])[] = [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
    ['phone', { ...phone, colorScheme: 'light' }],
    ['phone-dark-german', { ...phone, colorScheme: 'dark', locale: 'de-DE' }],
  ]

  it.each(looks)('has no accessibility fault that a program can find: %s', async (name, options) => {
    await using watched = await openPage(browser, server.url, options)
    const { page, complaints } = watched
    await bringAxe(page)
    await page.reload()
    const field = page.getByLabel(/API key|API-Schlüssel/)
    await field.waitFor()
    await untilStill(page)
    await screenshot(page, `sign-in-${name}`)
    expect(await violationsOf(page)).toEqual([])
    await field.fill('a-wrong-key')
    await field.press('Enter')
    await expect.poll(() => field.getAttribute('aria-invalid')).toBe('true')
    expect(await violationsOf(page)).toEqual([])
    await field.fill('ada-key')
    await field.press('Enter')
    await field.waitFor({ state: 'detached' })
    if (options.isMobile) await page.getByRole('button', { name: /Show chats|Chats einblenden/ }).click()
    await page.getByRole('button', { name: /Sign out|Abmelden/ }).waitFor()
    await untilStill(page)
    await screenshot(page, `signed-in-${name}`)
    expect(await violationsOf(page)).toEqual([])
    // Nothing is cut off at the side.
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
    expect(complaints).toEqual([])
  })

  it('works with the keyboard alone', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await bringAxe(page)
    await page.reload()
    await keyField(page).waitFor()
    await page.keyboard.type('ada-key')
    await page.keyboard.press('Enter')
    await messageField(page).waitFor()
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur())
    await tabTo(page, 'button', /^Sign out$/)
    await page.keyboard.press('Enter')
    await keyField(page).waitFor()
  })
})
