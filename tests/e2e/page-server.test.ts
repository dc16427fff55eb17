import type { Browser, Route } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, openPage, screenshot } from './support/browser.ts'
import { answered, ask, lastArticle, lastText, messageField } from './support/chat-page.ts'
import { startNginx } from './support/nginx.ts'
import { parrot, startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'

let server: ScriptedChat
let browser: Browser
/** The model awaits this before each of its bytes. */
let pace: (step: number) => Promise<void> = async () => {}
const options = parrot((step) => pace(step))
beforeAll(async () => {
  server = await startScriptedChat(options)
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

describe('below a path of a proxy', () => {
  it.each([
    ['that cuts it off', '/cut/'],
    ['that leaves it', '/kept/'],
  ])(
    '%s: the page, its answers as they are written, and its copy for the time without a server',
    async (_, prefix) => {
      const below = await startScriptedChat({ ...options, config: { basePath: '/kept' } })
      await using _below = below
      await using nginx = await startNginx(`
      location /cut/ { proxy_pass ${server.url}/; }
      location /kept { proxy_pass ${below.url}; }
    `)
      await using watched = await openPage(browser, `${nginx.url}${prefix}`)
      const { page, complaints } = watched
      const failed: string[] = []
      page.on('response', (response) => {
        const { pathname } = new URL(response.url())
        if (!response.ok() || !pathname.startsWith(prefix)) failed.push(`${response.status()} ${pathname}`)
      })
      const gate = Promise.withResolvers<void>()
      pace = async (step) => (step > 8 ? gate.promise : undefined)
      try {
        await ask(page, 'Through a **proxy**')
        // Some of it is there while the rest is not: nothing holds it back.
        await expect.poll(() => lastText(page)).toContain('You said')
        expect(await lastText(page)).not.toContain('proxy')
      } finally {
        pace = async () => {}
        gate.resolve()
      }
      await expect.poll(() => answered(page)).toContain('You said: Through a proxy')
      const scope = await page.evaluate(async () => (await navigator.serviceWorker.ready).scope)
      expect(new URL(scope).pathname).toBe(prefix)
      const manifest = await page.evaluate(async () => {
        const { href } = document.querySelector<HTMLLinkElement>('link[rel=manifest]')!
        const { start_url, scope: ofApp } = (await (await fetch(href)).json()) as Record<string, string>
        return [start_url, ofApp].map((address) => new URL(address!, href).pathname)
      })
      expect(manifest).toEqual([prefix, prefix])
      expect(failed).toEqual([])
      expect(complaints).toEqual([])

      await nginx[Symbol.asyncDispose]()
      await page.reload()
      await expect.poll(() => lastText(page)).toContain('You said: Through a proxy')
    },
  )
})

describe('without what it needs', () => {
  it('says that the server is gone, and when it is asked again, and finds it by itself', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await ask(page, 'Before')
    await answered(page)
    let answer = (route: Route): Promise<void> => route.abort()
    await page.route('**/api/v1/models', (route) => answer(route))
    await page.context().setOffline(true)
    await page.getByText('You are offline.').first().waitFor()
    await page.getByText(/^Next try in \d+ seconds?$/).waitFor()
    await page.getByRole('button', { name: 'Model: Parrot, State unknown' }).waitFor()
    await screenshot(page, 'server-gone')
    await page.context().setOffline(false)
    await page.getByText('The server can’t be reached.').first().waitFor()
    // What the page asks by itself has no answer before the button is pressed: it would take the button away.
    const pressed = Promise.withResolvers<void>()
    answer = async (route) => {
      await pressed.promise
      await route.continue()
    }
    await page.getByRole('button', { name: 'Try now' }).click()
    pressed.resolve()
    await page.getByRole('button', { name: /^Model: Parrot, Ready/ }).waitFor({ timeout: 60_000 })
    expect(await page.getByRole('button', { name: 'Try now' }).count()).toBe(0)
  })

  it('says why nothing can be sent', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await page.route('**/api/v1/models', (route) => route.abort())
    await page.reload()
    await messageField(page).fill('Hello')
    await page.getByText('You can’t send yet: the server can’t be reached.').waitFor()
    expect(await page.getByRole('button', { name: 'Send' }).getAttribute('title')).toContain(
      'You can’t send yet',
    )
    await page.unroute('**/api/v1/models')
    await page.getByRole('button', { name: 'Send', disabled: false }).waitFor({ timeout: 60_000 })
    expect(await messageField(page).inputValue()).toBe('Hello')
  })

  it('sends what was sent before it knew the models, once it knows them, unless the text was changed', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    const listed = Promise.withResolvers<void>()
    await page.route('**/api/v1/models', async (route) => {
      await listed.promise
      await route.continue()
    })
    await page.reload()
    await messageField(page).fill('Too early')
    await page.keyboard.press('Enter')
    await page.getByText('It will be sent as soon as the page is ready.').waitFor()
    await messageField(page).fill('Better words')
    await page.getByText('You can’t send yet: the page is asking the server for its models.').waitFor()
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('It will be sent as soon as the page is ready.').waitFor()
    listed.resolve()
    await answered(page)
    expect(await page.getByRole('article').count()).toBe(2)
    expect(await lastText(page)).toContain('You said: Better words')
    expect(await messageField(page).inputValue()).toBe('')
  })

  it('sends a message that was sent while its chat was still read at the end of that chat', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await ask(page, 'First')
    await answered(page)
    const other = await page.context().newPage()
    await other.goto(server.url)
    await other.evaluate(holdDatabase)
    await page.reload()
    // The models are known, the chats are not.
    await page.getByRole('button', { name: /^Model: Parrot, Ready/ }).waitFor()
    await ask(page, 'Second')
    await page.getByText('It will be sent as soon as the page is ready.').waitFor()
    expect(await page.getByRole('article').count()).toBe(0)
    await other.close()
    await expect.poll(() => page.getByRole('article').count()).toBe(4)
    await expect.poll(() => lastText(page)).toContain('You said: Second')
  })

  it('opens without its server to read old chats', async () => {
    const gone = await startScriptedChat(options)
    await using watched = await openPage(browser, gone.url)
    const { page } = watched
    await ask(page, 'Remember the **lighthouse**')
    await answered(page)
    await page.evaluate(async () => (await navigator.serviceWorker.ready).active?.state)
    await gone[Symbol.asyncDispose]()

    await page.goto(`${gone.url}/`)
    await page
      .getByRole('navigation', { name: 'Chats' })
      .getByRole('link', { name: 'Remember the lighthouse' })
      .click()
    await expect.poll(() => lastText(page)).toContain('You said: Remember the lighthouse')
    expect(await lastArticle(page).locator('strong').textContent()).toBe('lighthouse')
    await screenshot(page, 'offline')
  })

  it('says in words that it needs JavaScript', async () => {
    await using watched = await openPage(browser, server.url, { javaScriptEnabled: false })
    const { page, complaints } = watched
    expect(await page.locator('body').innerText()).toMatch(/^Petals Chat needs JavaScript/)
    await screenshot(page, 'no-javascript')
    expect(complaints).toEqual([])
  })
})

/** Keeps the page's database busy until its tab is closed: other tabs wait for their turn. */
async function holdDatabase(): Promise<void> {
  const database = await new Promise<IDBDatabase>((resolve) => {
    const opening = indexedDB.open('petals-chat')
    opening.addEventListener('success', () => resolve(opening.result))
  })
  const transaction = database.transaction([...database.objectStoreNames], 'readwrite')
  const goOn = (): void => {
    transaction.objectStore('chats').count().addEventListener('success', goOn)
  }
  goOn()
}
