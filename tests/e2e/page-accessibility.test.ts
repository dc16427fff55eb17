import { GenerationFailedError } from '@petals-chat/engine'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillDatabase, longChat } from '../../packages/web/dev/fill-database.ts'
import { pickScript } from '../../packages/web/dev/scripts.ts'
import { arrowTo, bringAxe, tabTo, untilStill, violationsOf } from './support/accessibility.ts'
import { launchBrowser, openPage, screenshot, type WatchedPage } from './support/browser.ts'
import { answered, articles, ask, lastArticle, lastText, messageField } from './support/chat-page.ts'
import { questionOf, startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'
import { asOfSwarm } from './support/scripted-swarm-chat.ts'

const { text: tour } = pickScript('tour')
const { text: thoughts } = pickScript('think')

let server: ScriptedChat
let browser: Browser
/** What the model waits for before its next byte. */
let pace: () => Promise<void> = async () => {}
beforeAll(async () => {
  server = await startScriptedChat({
    ...asOfSwarm,
    specs: [
      {
        id: 'scripted-small',
        displayName: 'Scripted',
        family: 'Scripted',
        license: 'Apache-2.0',
        engine: 'petals',
      },
      { id: 'other', displayName: 'Other', family: 'Other', engine: 'petals' },
    ],
    reply: (prompt) =>
      /tour/.test(questionOf(prompt)) ? `${thoughts}\n\n${tour}` : pickScript(questionOf(prompt)).text,
    beforeStep: () => pace(),
  })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

async function openWithAxe(options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const watched = await openPage(browser, server.url, options)
  await bringAxe(watched.page)
  await watched.page.reload()
  await messageField(watched.page).waitFor()
  return watched
}

/** A chat of many messages whose end has thoughts, code, a table, formulas, a route, and an error. */
async function openLongChat(page: Page): Promise<void> {
  await page.evaluate(fillDatabase, longChat(40, tour))
  await page.reload()
  await page.goto(`${server.url}/#/c/long`)
  await expect.poll(() => articles(page).count()).toBe(40)
  await ask(page, 'Show the tour')
  await expect.poll(() => articles(page).count()).toBe(42)
  await answered(page)
  await expect.poll(() => lastArticle(page).locator('.katex').count()).toBeGreaterThan(0)
  await expect.poll(() => lastArticle(page).locator('.hljs-keyword').count()).toBeGreaterThan(0)
}

const looks: readonly (readonly [string, BrowserContextOptions])[] = (['light', 'dark'] as const).flatMap(
  (colorScheme) => [
    [`desktop-${colorScheme}`, { colorScheme }],
    [`phone-${colorScheme}`, { colorScheme, viewport: { width: 390, height: 844 }, hasTouch: true }],
  ],
)

describe.each(looks)('what axe-core finds on %s', (look, options) => {
  it('is nothing, wherever one goes', async () => {
    await using watched = await openWithAxe(options)
    const { page, complaints } = watched
    const found: Record<string, readonly string[]> = {}
    const check = async (place: string): Promise<void> => {
      await untilStill(page)
      await screenshot(page, `${look}-${place}`)
      const violations = await violationsOf(page)
      if (violations.length > 0) found[place] = violations
    }
    const menuAndBack = async (button: string, place: string): Promise<void> => {
      await page.getByRole('button', { name: button }).last().click()
      await check(place)
      await page.keyboard.press('Escape')
    }

    await check('welcome')
    await openLongChat(page)
    await check('chat')
    await lastArticle(page).locator('details.thoughts > summary').click()
    await check('thoughts')
    await menuAndBack('Model: Scripted', 'models')
    await menuAndBack('More actions', 'answer-menu')
    await menuAndBack('Settings', 'settings')
    await lastArticle(page).getByRole('button', { name: 'More actions' }).click()
    await page.getByRole('menuitem', { name: 'Details' }).click()
    await check('details')
    await page.keyboard.press('Escape')
    await lastArticle(page).getByRole('link', { name: 'link', exact: true }).click()
    await check('link')
    await page.keyboard.press('Escape')

    pace = () =>
      Promise.reject(new GenerationFailedError('The engine began this answer and could not finish it.'))
    try {
      await ask(page, 'Now fail')
      await lastArticle(page).getByRole('button', { name: 'Retry' }).waitFor()
    } finally {
      pace = async () => {}
    }
    await check('error')
    await articles(page).nth(-2).hover()
    await articles(page).nth(-2).getByRole('button', { name: 'Edit' }).click()
    await check('editing')
    await page.getByRole('button', { name: 'Cancel' }).click()

    const drawer = page.getByRole('button', { name: 'Show chats' })
    if (await drawer.isVisible()) await drawer.click()
    await check('chats')
    await menuAndBack('Actions for “A long chat”', 'chat-menu')
    await page.getByRole('button', { name: 'Preferences' }).click()
    const preferences = page.getByRole('dialog', { name: 'Preferences' })
    await preferences.getByRole('button', { name: 'Export chats' }).waitFor()
    // On a phone nothing is said of keys.
    if (!options.hasTouch) await preferences.getByText('Keyboard shortcuts', { exact: true }).click()
    await check('preferences')
    await page.keyboard.press('Escape')
    await page.getByRole('link', { name: 'Swarm' }).click()
    await page.getByRole('heading', { name: 'petals-team/StableBeluga2' }).waitFor()
    await check('swarm')
    await page.keyboard.press('ControlOrMeta+/')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await check('shortcuts')
    await page.keyboard.press('Escape')
    await page.goto(`${server.url}/#/compare`)
    await ask(page, 'Show the tour')
    await expect
      .poll(() => articles(page).and(page.locator('.answer[aria-busy=false]')).count())
      .toBeGreaterThan(0)
    await check('compare')
    expect(found).toEqual({})
    expect(complaints).toEqual([])
  })
})

describe('without a pointer', () => {
  it('a whole chat can be led, and the focus is always seen', async () => {
    await using watched = await openWithAxe()
    const { page, complaints } = watched
    const press = (key: string): Promise<void> => page.keyboard.press(key)
    await page.locator('body').evaluate(() => (document.activeElement as HTMLElement).blur())
    await tabTo(page, 'link', /^Skip to the message field$/)
    await press('Enter')
    await page.keyboard.type('Tell me a bit')
    await press('Shift+Enter')
    await page.keyboard.type('of something')
    await press('Enter')
    await answered(page)
    expect(await articles(page).first().textContent()).toContain('Tell me a bit\nof something')

    await tabTo(page, 'button', /^Regenerate$/)
    await press('Enter')
    await page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
    await answered(page)
    await tabTo(page, 'button', /^Previous version$/)
    await press('Enter')
    await page.getByRole('group', { name: 'Version 1 of 2' }).waitFor()

    await tabTo(page, 'button', /^More actions$/)
    await press('Enter')
    await arrowTo(page, 'Details')
    await press('Enter')
    await page.getByRole('dialog', { name: 'Details' }).waitFor()
    await press('Escape')
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')))
      .toBe('More actions')

    await tabTo(page, 'button', /^Actions for “Tell me a bit”$/)
    await press('Enter')
    await arrowTo(page, 'Rename')
    await press('Enter')
    await page.keyboard.type('By hand')
    await press('Enter')
    await page.getByRole('link', { name: 'By hand' }).waitFor()

    await tabTo(page, 'button', /^Model: Scripted/)
    await press('Enter')
    await page.getByRole('listbox').and(page.locator(':focus')).waitFor()
    await press('ArrowDown')
    await press('Enter')
    await page.getByRole('button', { name: /^Model: Other/ }).waitFor()

    await tabTo(page, 'button', /^Settings$/)
    await press('Enter')
    await tabTo(page, 'textbox', /^System prompt/)
    await page.keyboard.type('Be kind.')
    await press('Escape')
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0)

    await tabTo(page, 'button', /^Edit$/)
    await press('Enter')
    await page.keyboard.type(' Another way.')
    await press('Enter')
    await answered(page)
    await page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
    await tabTo(page, 'button', /^New chat$/)
    await press('Enter')
    await expect.poll(() => articles(page).count()).toBe(0)
    expect(complaints).toEqual([])
  })
})

const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const { activeElement } = document
    return (
      activeElement?.getAttribute('aria-label') ?? activeElement?.textContent ?? activeElement?.tagName ?? ''
    )
  })

describe('the focus', () => {
  it('goes on beside what is removed or disabled: after an edit, a new version, a deletion and its undo', async () => {
    await using watched = await openWithAxe()
    const { page, complaints } = watched
    const press = (key: string): Promise<void> => page.keyboard.press(key)
    await ask(page, 'Tell me')
    await answered(page)
    await tabTo(page, 'button', /^Regenerate$/)
    await press('Enter')
    await expect.poll(() => focused(page)).toBe('Scripted')
    await page.getByRole('group', { name: 'Version 2 of 2' }).waitFor()
    await answered(page)
    await tabTo(page, 'button', /^Previous version$/)
    await press('Enter')
    await expect.poll(() => focused(page)).toBe('Next version')

    await tabTo(page, 'button', /^Edit$/)
    await press('Enter')
    await page.keyboard.type(' more')
    await press('Enter')
    await expect.poll(() => focused(page)).toBe('Edit')
    await answered(page)

    await tabTo(page, 'button', /^More actions$/)
    await press('Enter')
    await arrowTo(page, 'Delete from here on')
    await press('Enter')
    await page.getByRole('group', { name: 'Notices' }).waitFor()
    await expect.poll(() => focused(page)).not.toBe('BODY')
    const kept = await articles(page).count()
    await press('Control+z')
    await expect.poll(() => page.getByRole('group', { name: 'Notices' }).count()).toBe(0)
    await expect.poll(() => articles(page).count()).toBeGreaterThanOrEqual(kept)
    await expect.poll(() => focused(page)).toMatch(/^(?:You|Scripted)$/)
    expect(complaints).toEqual([])
  })

  it('is in the list of chats while that lies over the page, and goes back with Escape', async () => {
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true }
    await using watched = await openWithAxe(phone)
    const { page, complaints } = watched
    await page.getByRole('button', { name: 'Show chats' }).click()
    await expect.poll(() => focused(page)).toBe('Hide chats')
    for (let tabs = 0; tabs < 12; tabs++) {
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => document.activeElement?.closest('.app-main, .skip-link'))).toBeNull()
    }
    await page.getByRole('button', { name: 'Hide chats' }).focus()
    await page.keyboard.press('Escape')
    await expect.poll(() => focused(page)).toBe('Show chats')
    expect(complaints).toEqual([])
  })
})

/** Runs in the page: counts what people who listen to it are told. */
function countAnnouncements(): void {
  const live = '[role=status], [role=alert], [role=log], [aria-live]:not([aria-live=off])'
  const counter = globalThis as unknown as { announcements: string[] }
  counter.announcements = []
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      const element = target instanceof Element ? target : target.parentElement
      const region = element?.closest(live)
      if (region?.textContent) counter.announcements.push(region.textContent)
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
}

describe('while an answer streams', () => {
  it('those who listen hear that it begins and how it ends, not each word', async () => {
    await using watched = await openWithAxe()
    const { page } = watched
    await page.evaluate(countAnnouncements)
    const before = server.engine.steps
    pace = () => new Promise((resolve) => setTimeout(resolve, 2))
    try {
      await ask(page, 'Show the tour')
      await answered(page)
    } finally {
      pace = async () => {}
    }
    await expect.poll(() => page.getByRole('status').allTextContents()).toContain('The answer is complete.')
    const heard = await page.evaluate(
      () => (globalThis as unknown as { announcements: string[] }).announcements,
    )
    expect(server.engine.steps - before).toBeGreaterThan(500)
    expect(heard).toContain('The answer begins.')
    expect(heard.length).toBeLessThanOrEqual(4)
    expect(await lastArticle(page).getAttribute('aria-live')).toBeNull()
  })

  it('nothing moves for those who asked for less motion', async () => {
    await using watched = await openWithAxe({ reducedMotion: 'reduce' })
    const { page } = watched
    const moving = (): Promise<readonly string[]> =>
      page.evaluate(() =>
        document
          .getAnimations()
          .filter(
            ({ playState, effect }) =>
              playState === 'running' && Number(effect?.getComputedTiming().endTime) > 1,
          )
          .map(({ effect }) => (effect as KeyframeEffect).target?.className ?? '?'),
      )
    pace = () => new Promise((resolve) => setTimeout(resolve, 5))
    try {
      await ask(page, 'Show the tour')
      await expect.poll(async () => (await lastText(page)).length).toBeGreaterThan(100)
      expect(await moving()).toEqual([])
    } finally {
      pace = async () => {}
    }
    await answered(page)
    await page.getByRole('button', { name: 'Settings' }).click()
    expect(await moving()).toEqual([])
  })
})
