import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Browser, Locator } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSwarm, type Swarm } from '../../swarm/swarm.ts'
import { launchBrowser, openPage, screenshot } from './support/browser.ts'
import { ask, finishedAnswer, lastArticle, lastText, settle } from './support/chat-page.ts'
import { startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

let swarm: Swarm
let server: PetalsChat
let browser: Browser
let cacheHome: string
beforeAll(async () => {
  // Links of some length: an answer takes long enough to lose a server in its middle.
  swarm = await startSwarm({ model: 'stories15M', replicas: 2, relay: { latencyMs: 15 } })
  cacheHome = await mkdtemp(path.join(tmpdir(), 'petals-chat-page-swarm-'))
  server = await startPetalsChat({
    args: [
      ...['--swarm', swarm.initialPeers.join(',')],
      ...['--model', `petals:${swarm.modelFolder}`, '--dht-prefix', swarm.dhtPrefix],
    ],
    env: { XDG_CACHE_HOME: cacheHome },
  })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser?.close()
  await server?.[Symbol.asyncDispose]()
  await swarm?.[Symbol.asyncDispose]()
  await rm(cacheHome, { recursive: true, force: true })
})

/** The texts of cells that are not wholly inside of what is around the table, or of themselves. */
const cutCells = (table: Locator): Promise<readonly string[]> =>
  table.evaluate((element) => {
    const around = element.parentElement!.getBoundingClientRect()
    const isCut = (cell: HTMLTableCellElement): boolean => {
      const { left, right } = cell.getBoundingClientRect()
      const isOutside = left < around.left - 1 || right > around.right + 1
      return isOutside || cell.scrollWidth > cell.clientWidth + 1
    }
    return [...element.querySelectorAll<HTMLTableCellElement>('tbody :is(th, td)')]
      .filter(isCut)
      .map(({ innerText }) => innerText)
  })

describe('the page on a real swarm', () => {
  it('shows its blocks and servers', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    // Who can read the chat is said once; a link stays.
    const notice = page.getByRole('note', { name: 'Other people’s computers can read this chat.' })
    await notice.waitFor()
    expect(await notice.textContent()).toContain('servers of a private swarm')
    await notice.getByRole('button', { name: 'I understand' }).click()
    await page.reload()
    await page.getByRole('button', { name: 'Who can read this chat?' }).waitFor()
    expect(await notice.count()).toBe(0)
    await page.getByRole('link', { name: 'Swarm' }).click()
    const model = page.getByRole('region', { name: 'stories15M' })
    await expect.poll(() => model.textContent()).toContain('4 servers online')
    expect(await model.textContent()).toContain('All blocks are available')
    expect(await page.getByRole('img', { name: '6 blocks, all held by servers' }).count()).toBe(1)
    const table = await model.getByRole('table').textContent()
    for (const each of swarm.servers) expect(table).toContain(each.name)
    expect(await model.locator('.block-strip .block[data-replicas="2"]').count()).toBe(6)
    await model.getByText('Add your own computer to this swarm').click()
    expect(await model.locator('.swarm-command code').allTextContents()).toEqual([
      `npm start -- contribute ${swarm.modelFolder} --swarm ${swarm.initialPeers[0]} --dht-prefix ${swarm.dhtPrefix}`,
    ])
    await screenshot(page, 'swarm')
    expect(complaints).toEqual([])
  })

  it.each(['en-US', 'de-DE'])('shows all of its table of servers at any width (%s)', async (locale) => {
    await using watched = await openPage(browser, `${server.url}/#/swarm`, { locale })
    const { page, complaints } = watched
    const table = page.getByRole('region', { name: 'stories15M' }).getByRole('table')
    await table.waitFor({ timeout: 60_000 })
    for (const width of [320, 480, 640, 768, 900, 1100, 1280, 1600]) {
      await page.setViewportSize({ width, height: 900 })
      expect(await cutCells(table), `${width} px`).toEqual([])
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(sideways, `${width} px`).toBe(0)
    }
    expect(complaints).toEqual([])
  })

  it('tells of a server that is lost in mid-answer, and the answer goes on', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    await settle(page, 160)
    await ask(page, 'Once upon a time')
    const reference = await finishedAnswer(page)

    await page.getByRole('button', { name: 'Regenerate' }).click()
    const route = lastArticle(page).getByText(/^Through \S+ → \S+$/)
    await route.waitFor()
    const hops = await route.textContent()
    const lost = swarm.servers.find((each) => hops!.startsWith(`Through ${each.name} `))!
    const spare = swarm.servers.find(({ start, peerId }) => start === lost.start && peerId !== lost.peerId)!
    await screenshot(page, 'route')
    const written = (await lastText(page)).length
    lost.signal('SIGKILL')
    const note = lastArticle(page)
      .getByRole('paragraph')
      .filter({ hasText: `Server ${lost.name} left; continued with ${spare.name} after` })
    await note.waitFor({ timeout: 60_000 })
    await screenshot(page, 'failover')
    expect(await finishedAnswer(page)).toBe(reference)
    expect(reference.length).toBeGreaterThan(written / 2)
    await lastArticle(page).getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Details' }).click()
    const details = await page.getByRole('dialog', { name: 'Details' }).textContent()
    expect(details).toContain(spare.name)
    expect(details).toContain(`Server ${lost.name} left`)
    await page.keyboard.press('Escape')

    await page.getByRole('link', { name: 'Swarm' }).click()
    const model = page.getByRole('region', { name: 'stories15M' })
    await expect.poll(() => model.locator('.block-strip .block[data-replicas="1"]').count()).toBe(3)
    await screenshot(page, 'swarm-with-one-less')
    expect(complaints).toEqual([])
  })
})
