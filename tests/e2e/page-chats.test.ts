import { readFile } from 'node:fs/promises'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fillDatabase, manyChats } from '../../packages/web/dev/fill-database.ts'
import { launchBrowser, openPage, screenshot } from './support/browser.ts'
import { answered, articles, ask, lastText, messageField } from './support/chat-page.ts'
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

const chats = (page: Page): Locator => page.getByRole('navigation', { name: 'Chats' })
const chatLink = (page: Page, title: string | RegExp): Locator =>
  chats(page).getByRole('link', { name: title })
const titles = async (page: Page): Promise<readonly string[]> =>
  (await chats(page).getByRole('listitem').getByRole('link').allTextContents()).map((title) => title.trim())

async function startChat(page: Page, question: string): Promise<void> {
  await page.getByRole('button', { name: 'New chat' }).click()
  await ask(page, question)
}

async function choose(page: Page, title: string, action: string): Promise<void> {
  await chatLink(page, title).hover()
  await page.getByRole('button', { name: `Actions for “${title}”` }).click()
  await page.getByRole('menuitem', { name: action, exact: true }).click()
}

describe('the list of chats', () => {
  it('finds, renames, pins, and deletes with undo, and keeps all that', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    for (const fruit of ['apples', 'pears', 'plums']) {
      await startChat(page, `About ${fruit}`)
      await answered(page)
    }
    expect(await titles(page)).toEqual(['About plums', 'About pears', 'About apples'])

    const search = page.getByRole('textbox', { name: 'Search chats' })
    await search.fill('said apples')
    await expect.poll(() => titles(page)).toHaveLength(1)
    expect(await chatLink(page, /About apples/).textContent()).toContain('You said: About apples')
    await chatLink(page, /About apples/).click()
    await expect.poll(() => lastText(page)).toContain('apples')
    await search.press('Escape')

    await choose(page, 'About apples', 'Rename')
    const field = page.getByRole('textbox', { name: 'Title of the chat' })
    await field.fill('Orchard')
    await field.press('Enter')
    await choose(page, 'Orchard', 'Pin')
    await expect.poll(() => page.getByRole('region', { name: 'Pinned' }).getByRole('link').count()).toBe(1)
    await page.reload()
    await expect.poll(() => titles(page)).toEqual(['Orchard', 'About plums', 'About pears'])

    await chatLink(page, 'About plums').click()
    await choose(page, 'About plums', 'Delete chat')
    await expect.poll(() => articles(page).count()).toBe(0)
    expect(await titles(page)).toEqual(['Orchard', 'About pears'])
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => lastText(page)).toContain('You said: About plums')
    await page.reload()
    await expect.poll(() => lastText(page)).toContain('You said: About plums')
    await screenshot(page, 'chats')
    expect(complaints).toEqual([])
  })

  it('saves a chat as Markdown', async () => {
    await using watched = await openPage(browser, server.url)
    const { page } = watched
    await startChat(page, 'About **figs**')
    await answered(page)
    const download = page.waitForEvent('download')
    await choose(page, 'About figs', 'Save as Markdown')
    const file = await download
    expect(file.suggestedFilename()).toMatch(/figs.*\.md$/)
    const text = await readFile(await file.path(), 'utf8')
    expect(text).toContain('You said: About **figs**')
  })

  it('shows where answers are written while several chats are at it', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    // Each begins, and then waits for the others.
    pace = async (step) => (step > 8 ? held : undefined)
    try {
      for (const topic of ['one', 'two', 'three']) await startChat(page, `Topic ${topic}`)
      const writing = chats(page).getByText('An answer is being written here')
      await expect.poll(() => writing.count()).toBe(3)
      await screenshot(page, 'several-at-once')
    } finally {
      pace = async () => {}
      release()
    }
    for (const topic of ['one', 'two', 'three']) {
      await chatLink(page, new RegExp(`Topic ${topic}$`)).click()
      await expect.poll(() => answered(page)).toContain(`You said: Topic ${topic}`)
    }
    expect(complaints).toEqual([])
  })

  it('shows and searches thousands of chats', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    await messageField(page).waitFor()
    await page.evaluate(fillDatabase, manyChats(3000))
    const begin = performance.now()
    await page.reload()
    await chatLink(page, 'Chat number 0').waitFor()
    const opened = performance.now()
    const drawn = await chats(page).getByRole('listitem').count()
    expect(drawn).toBeLessThanOrEqual(200)

    await page.getByRole('textbox', { name: 'Search chats' }).fill('number 2999 nothing')
    await expect.poll(() => chats(page).getByText('1 chat found').count()).toBe(1)
    const found = performance.now()
    await chatLink(page, /Chat number 2999/).click()
    await expect.poll(() => articles(page).count()).toBe(4)
    await page.getByRole('button', { name: 'Clear the search' }).click()

    await chatLink(page, 'Chat number 99').scrollIntoViewIfNeeded()
    await expect.poll(() => chats(page).getByRole('listitem').count()).toBeGreaterThan(drawn)
    console.log(
      `3,000 chats: opened in ${Math.round(opened - begin)} ms, searched to the last message in ${Math.round(found - opened)} ms`,
    )
    expect(complaints).toEqual([])
  })
})

const searchField = (page: Page): Locator => page.getByRole('textbox', { name: 'Search chats' })
const notices = (page: Page): Locator => page.getByRole('group', { name: 'Notices' })
const focusedText = (page: Page): Promise<string> =>
  page.evaluate(
    () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
  )

describe('what is deleted', () => {
  it('comes back, each chat by its own undo, and the focus stays near', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    for (const fruit of ['apples', 'pears', 'plums']) {
      await startChat(page, `About ${fruit}`)
      await answered(page)
    }
    await choose(page, 'About pears', 'Delete chat')
    await expect.poll(() => focusedText(page)).toBe('About apples')
    await choose(page, 'About apples', 'Delete chat')
    await expect.poll(() => focusedText(page)).toBe('About plums')
    await expect.poll(() => notices(page).getByRole('button', { name: 'Undo' }).count()).toBe(2)
    // The pointer over them stops their clocks, however long a busy machine takes for what follows.
    await notices(page).hover()
    await screenshot(page, 'two-deleted')
    // Nothing that can be pressed is under them.
    const covered = await page.evaluate(() =>
      [...document.querySelectorAll('main button, nav button, nav a')]
        .filter((element) => element.checkVisibility({ opacityProperty: true }))
        .filter((element) => {
          const { left, top, width, height } = element.getBoundingClientRect()
          return (
            document.elementFromPoint(left + width / 2, top + height / 2)?.closest('.notice, button, a') !==
            element
          )
        })
        .map((element) => element.outerHTML),
    )
    expect(covered).toEqual([])
    await notices(page).getByText('About pears').locator('..').getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => focusedText(page)).toBe('About pears')
    // The other by the keyboard alone.
    await page.keyboard.press('F8')
    await expect.poll(() => focusedText(page)).toBe('Undo')
    await page.keyboard.press('Enter')
    await expect.poll(() => titles(page)).toEqual(['About plums', 'About pears', 'About apples'])
    await page.reload()
    await expect.poll(() => titles(page)).toEqual(['About plums', 'About pears', 'About apples'])
    expect(complaints).toEqual([])
  })
})

describe('a search', () => {
  it('has the newest first, and leads to the place by keys alone', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    await messageField(page).waitFor()
    await page.evaluate(fillDatabase, manyChats(30))
    await page.reload()
    for (const topic of ['one lighthouse', 'two lighthouse']) {
      await startChat(page, `Topic ${topic}`)
      await answered(page)
    }
    for (let more = 0; more < 12; more++) {
      await ask(page, `More of it, ${more}\n${'line\n'.repeat(12)}`)
      await answered(page)
    }
    await searchField(page).fill('said lighthouse')
    await searchField(page).press('Enter')
    const bar = page.getByRole('search', { name: 'Matches in this chat' })
    await bar.getByText('1 of 2').waitFor()
    expect(
      await chats(page)
        .getByRole('link', { name: /lighthouse/ })
        .allTextContents(),
    ).toEqual([expect.stringContaining('Topic two'), expect.stringContaining('Topic one')])
    const marked = (): Promise<readonly string[]> =>
      page.evaluate(() =>
        [...(CSS.highlights.get('found-here') ?? [])].map((range) => {
          const { top, bottom } = (range as Range).getBoundingClientRect()
          return `${top > 0 && bottom < innerHeight ? 'seen' : 'not seen'}: ${(range as Range).toString()}`
        }),
      )
    await expect.poll(marked).toEqual(['seen: said'])
    await screenshot(page, 'found')
    await page.keyboard.press('ArrowDown')
    await expect.poll(marked).toEqual(['seen: lighthouse'])
    await bar.getByText('2 of 2').waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => bar.count()).toBe(0)
    await searchField(page).press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await bar.waitFor()
    await expect.poll(() => articles(page).count()).toBe(2)
    await expect.poll(() => page.evaluate(() => location.hash)).toMatch(/find=said\+lighthouse&at=/)
    expect(complaints).toEqual([])
  })
})

describe('what was written', () => {
  it('is there again: an edit through another chat and a reload, settings through Escape', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    await startChat(page, 'About figs')
    await answered(page)
    await page.getByRole('article', { name: 'You' }).hover()
    await page.getByRole('button', { name: 'Edit' }).click()
    const editor = page.getByRole('textbox', { name: 'Edit your message' })
    await editor.fill('About dates')
    await startChat(page, 'Something else')
    await answered(page)
    await chatLink(page, 'About figs').click()
    await expect.poll(() => editor.inputValue()).toBe('About dates')
    await page.reload()
    await expect.poll(() => editor.inputValue()).toBe('About dates')
    await editor.press('Escape')
    await expect.poll(() => focusedText(page)).toBe('Edit')
    await page.keyboard.press('Enter')
    await expect.poll(() => editor.inputValue()).toBe('About dates')
    // Enter that takes a word of an input method is not for the page, as Safari tells it.
    const enter = { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true }
    await editor.dispatchEvent('keydown', enter)
    await messageField(page).fill('にほん')
    await messageField(page).dispatchEvent('keydown', enter)
    expect(await articles(page).count()).toBe(2)
    expect(await editor.inputValue()).toBe('About dates')
    await messageField(page).fill('')
    await editor.press('Enter')
    await expect.poll(() => answered(page)).toContain('You said: About dates')
    expect(await editor.count()).toBe(0)

    const settings = page.getByRole('dialog', { name: 'Settings' })
    await page.getByRole('button', { name: 'Settings' }).click()
    await settings.getByLabel('System prompt').fill('Be brief.')
    await page.keyboard.press('Escape')
    await page.reload()
    await page.getByRole('button', { name: 'Settings' }).click()
    await settings.getByText('Your earlier changes are back').waitFor()
    expect(await settings.getByLabel('System prompt').inputValue()).toBe('Be brief.')
    await settings.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: 'Settings' }).click()
    expect(await settings.getByLabel('System prompt').inputValue()).toBe('')
    expect(complaints).toEqual([])
  })

  it('is there again although the page was reloaded at the last keystroke, or as the question was sent', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    const reloadAfter = (run: string) =>
      Promise.all([page.waitForEvent('load'), page.evaluate(`${run}; location.reload()`)])
    await messageField(page).fill('Half a ques')
    await reloadAfter(`document.execCommand('insertText', false, 'tion')`)
    await expect.poll(() => messageField(page).inputValue()).toBe('Half a question')
    // Until the models are known, nothing can be sent.
    await page.getByRole('button', { name: 'Send', disabled: false }).waitFor()
    await reloadAfter(`document.querySelector('.composer').requestSubmit()`)
    await chatLink(page, 'Half a question').click()
    // The answer goes on by itself if its request had begun; else the reader asks for it.
    const answerThis = page.getByRole('button', { name: 'Answer this' })
    await expect
      .poll(async () => {
        if ((await answerThis.count()) > 0) await answerThis.click()
        return lastText(page)
      })
      .toContain('You said: Half a question')
    expect(await messageField(page).inputValue()).toBe('')
    expect(complaints).toEqual([])
  })
})

describe('what is asked', () => {
  it('goes with the settings of a preset, in every chat that takes it', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    const settings = page.getByRole('dialog', { name: 'Settings' })
    await page.getByRole('button', { name: 'Settings' }).click()
    await settings.getByLabel('System prompt').fill('Answer as a pirate.')
    await settings.getByLabel('Top k').fill('7')
    await settings.getByRole('button', { name: 'Save as preset…' }).click()
    await settings.getByRole('textbox', { name: 'Name of the preset' }).fill('Pirate')
    await page.keyboard.press('Enter')
    await screenshot(page, 'presets')
    await settings.getByRole('button', { name: 'Cancel' }).click()

    await page.reload()
    await page.getByRole('button', { name: 'Settings' }).click()
    await settings.getByRole('combobox', { name: 'Preset' }).selectOption('Pirate')
    await settings.getByRole('button', { name: 'Save', exact: true }).click()
    const asked = page.waitForRequest(/\/v1\/chat\/completions$/)
    await ask(page, 'Where to?')
    const body = (await asked).postDataJSON() as { top_k: number; messages: readonly object[] }
    expect(body.top_k).toBe(7)
    expect(body.messages[0]).toEqual({ role: 'system', content: 'Answer as a pirate.' })
    await answered(page)

    // Another chat is not bound to it.
    const unbound = page.waitForRequest(/\/v1\/chat\/completions$/)
    await startChat(page, 'And where to now?')
    expect((await unbound).postDataJSON()).not.toHaveProperty('top_k')
    expect(complaints).toEqual([])
  })

  it('takes a long paste as a file', async () => {
    await using watched = await openPage(browser, server.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    const { page, complaints } = watched
    const text = Array.from({ length: 400 }, (_, line) => `line ${line} of what was pasted`).join('\n')
    await page.evaluate((words) => navigator.clipboard.writeText(words), text)
    await messageField(page).fill('Sum this up: ')
    await messageField(page).press('End')
    await page.keyboard.press('ControlOrMeta+V')
    await page.getByRole('button', { name: 'Attach it as a file' }).click()
    await expect.poll(() => messageField(page).inputValue()).toBe('Sum this up: ')
    expect(await page.getByRole('list', { name: 'Attached files' }).getByRole('listitem').count()).toBe(1)
    const asked = page.waitForRequest(/\/v1\/chat\/completions$/)
    await page.keyboard.press('Enter')
    expect(JSON.stringify((await asked).postDataJSON())).toContain('line 399 of what was pasted')
    await answered(page)
    await page.getByRole('button', { name: /^Read Pasted text/ }).click()
    await expect.poll(() => page.getByRole('dialog').textContent()).toContain('line 399')
    await screenshot(page, 'long-paste')
    expect(complaints).toEqual([])
  })
})
