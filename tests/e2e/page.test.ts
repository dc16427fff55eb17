import { describe, expect, it } from 'vitest'
import { openPage, screenshot } from './support/browser.ts'
import { sessionsInUse } from './support/metrics.ts'
import { useDefaultChat } from './support/default-chat.ts'

const subject = useDefaultChat()

describe('the chat page', () => {
  it('shows an answer as it is written, its speed, and begins a new chat', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page, complaints } = watched
    const field = page.getByRole('textbox', { name: /message/i })
    await field.fill('Tell me a long story about a ship.')
    await page.keyboard.press('Enter')

    const answer = page.getByRole('article').last()
    await expect.poll(async () => (await answer.textContent())!.length).toBeGreaterThan(80)
    const early = (await answer.textContent())!.length
    await expect.poll(async () => (await answer.textContent())!.length).toBeGreaterThan(early)
    await expect.poll(() => answer.textContent()).toMatch(/\d tokens\/s/)
    await screenshot(page, 'answering')

    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByRole('button', { name: 'New chat' }).first().click()
    await expect.poll(() => page.getByRole('article').count()).toBe(0)
    expect(complaints).toEqual([])
  })

  it('stops the engine with its Stop button, and keeps what was written', async () => {
    await using watched = await openPage(subject.browser, subject.server.url)
    const { page } = watched
    await page
      .getByRole('textbox', { name: /message/i })
      .fill('Write a long story about a ship and its crew.')
    await page.keyboard.press('Enter')
    const answer = page.getByRole('article').last()
    await expect.poll(() => answer.textContent()).toMatch(/\d tokens\/s/)
    const before = (await answer.textContent())!.length
    expect(await sessionsInUse(subject.server.url)).toBe(1)
    await page.getByRole('button', { name: 'Stop' }).click()
    await expect.poll(() => sessionsInUse(subject.server.url), { timeout: 5000 }).toBe(0)
    await expect.poll(() => answer.textContent()).toContain('Stopped')
    expect((await answer.textContent())!.length).toBeGreaterThan(before / 2)
  })

  it('offers the models of the server, and works on a phone in the dark', async () => {
    await using watched = await openPage(subject.browser, subject.server.url, {
      viewport: { width: 390, height: 844 },
      colorScheme: 'dark',
      hasTouch: true,
    })
    const { page, complaints } = watched
    await page.getByRole('button', { name: /SmolLM2/ }).click()
    await expect.poll(() => page.getByRole('option', { name: /SmolLM2 135M/ }).count()).toBeGreaterThan(0)
    await page.keyboard.press('Escape')
    await screenshot(page, 'phone-dark')
    expect(complaints).toEqual([])
  })

  it.each(['br', 'gzip'])('comes with less than 200 kB over the wire (%s)', async (coding) => {
    await using watched = await openPage(subject.browser, 'about:blank', { serviceWorkers: 'block' })
    const { page } = watched
    // A proxy in front may take gzip only, and browsers do over plain http from another machine.
    await page.setExtraHTTPHeaders({ 'accept-encoding': coding })
    const protocol = await page.context().newCDPSession(page)
    await protocol.send('Network.enable')
    let bytes = 0
    protocol.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength))
    const codings = new Set<string>()
    page.on('response', (response) => {
      const { 'content-encoding': used = 'none', 'content-length': length } = response.headers()
      // A file that compression does not make smaller has no compressed copy.
      const isTiny = used === 'none' && Number(length) < 500
      if (/\.(?:js|css)$/.test(response.url()) && !isTiny) codings.add(used)
    })
    await page.goto(subject.server.url, { waitUntil: 'networkidle' })
    await page.getByRole('textbox', { name: 'Message' }).waitFor()
    expect([...codings]).toEqual([coding])
    expect(bytes).toBeGreaterThan(50_000)
    expect(bytes).toBeLessThan(200_000)
  })

  it('says in English and German that it needs JavaScript', async () => {
    const text = await (await fetch(subject.server.url)).text()
    const words = /<noscript>([\s\S]*?)<\/noscript>/.exec(text)?.[1]
    expect(words).toMatch(/needs JavaScript[\s\S]*<p lang="de">\s*Petals Chat braucht JavaScript/)
  })
})
