import { createToolBox } from '@petals-chat/tools'
import { toolsConfigSchema } from '@petals-chat/tools/config'
import { McpTestServer, type McpServer } from '../../packages/tools/src/testing/index.ts'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { bringAxe, tabTo, untilStill, violationsOf } from './support/accessibility.ts'
import { launchBrowser, openPage, screenshot, type WatchedPage } from './support/browser.ts'
import { answered, articles, ask, lastText, messageField } from './support/chat-page.ts'
import { questionOf, startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'

/** Would load a picture and run a script, if it were anything but text. */
const HOSTILE = '<img src=x onerror=alert(1)> ![x](http://127.0.0.1:9/x.png)'

/** What the notebook of the server contains. */
let notes: string[] = []
let cancelled = 0

function tools(server: McpServer): void {
  const reads = { annotations: { readOnlyHint: true } }
  const text = (words: string) => ({ content: [{ type: 'text' as const, text: words }] })
  server.registerTool(
    'look',
    {
      title: 'Look it up',
      description: 'Reads the notebook.',
      inputSchema: z.object({ page: z.number() }),
      ...reads,
    },
    () => text(HOSTILE),
  )
  server.registerTool(
    'write',
    {
      title: 'Write a note',
      description: 'Writes into the notebook.',
      inputSchema: z.object({ note: z.string() }),
    },
    ({ note }) => {
      notes.push(note)
      return text('Written.')
    },
  )
  server.registerTool('wait', { title: 'Wait', ...reads }, async ({ mcpReq: { signal } }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    cancelled += 1
    return text('')
  })
}

const call = (name: string, args: object = {}) =>
  `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`

const scripts: Readonly<Record<string, string>> = {
  compute: `Let me see. ${call('calculator', { expression: '12*7' })}`,
  look: call('lab__look', { page: 3 }),
  write: call('lab__write', { note: 'See <b>here</b>\u202e!' }),
  both: `${call('calculator', { expression: '1+1' })}\n${call('lab__write', { note: 'two' })}`,
  wait: call('lab__wait'),
  loop: call('calculator', { expression: '1' }),
}

let mcp: McpTestServer
let chat: ScriptedChat
let browser: Browser
/** The prompts that the model was given. */
const prompts: string[] = []

beforeAll(async () => {
  mcp = await McpTestServer.start({ tools })
  await using gone = await McpTestServer.start({ tools })
  const box = await createToolBox(
    toolsConfigSchema.parse({
      maxRounds: 3,
      servers: [
        { name: 'lab', url: mcp.url },
        { name: 'wiki', url: gone.url },
      ],
    }),
    { version: '1.2.3' },
  )
  chat = await startScriptedChat({
    specs: [
      { id: 'one', displayName: 'One' },
      { id: 'two', displayName: 'Two' },
    ],
    tools: box,
    reply(prompt) {
      prompts.push(prompt)
      const question = questionOf(prompt)
      const [word = ''] = /^\w+/.exec(question) ?? []
      if (/<tool_response>/.test(question) && !prompt.includes('<|user|>loop')) return 'All **done**.'
      return scripts[word] ?? (prompt.includes('You can call') ? scripts['loop']! : 'No calls any more.')
    },
  })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await chat[Symbol.asyncDispose]()
  await mcp[Symbol.asyncDispose]()
})
beforeEach(() => {
  notes = []
  prompts.length = 0
})

async function openWithAxe(options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const watched = await openPage(browser, chat.url, options)
  await bringAxe(watched.page)
  await watched.page.reload()
  await messageField(watched.page).waitFor()
  return watched
}

const dialogOf = (page: Page) => page.getByRole('dialog', { name: 'Tools' })
const consentTo = (page: Page, tool: string) =>
  page.getByRole('group', { name: new RegExp(`^May the model use “${tool}”`) })
const decide = (page: Page, tool: string, decision: string) =>
  consentTo(page, tool).getByRole('button', { name: decision }).click()

async function switchOn(page: Page, ...names: string[]): Promise<void> {
  await page.getByRole('button', { name: 'Tools' }).click()
  for (const name of names) await dialogOf(page).getByRole('switch', { name }).check()
  await page.keyboard.press('Escape')
}

describe('tools in the chat', () => {
  it('are off until they are switched on, which holds for the chat alone, unless it is chosen for new ones', async () => {
    await using watched = await openWithAxe()
    const { page, complaints } = watched
    await ask(page, 'compute it')
    await answered(page)
    expect(prompts.at(-1)).not.toContain('You can call')
    await page.getByRole('button', { name: 'Tools', exact: true }).click()
    const dialog = dialogOf(page)
    const wiki = dialog.getByRole('group', { name: /wiki/ })
    await expect.poll(() => wiki.textContent()).toMatch(/Can’t be reached.*Retry/s)
    expect(
      await dialog
        .getByRole('group', { name: /Petals Chat/ })
        .getByRole('switch')
        .count(),
    ).toBe(2)
    expect(await dialog.getByRole('switch', { checked: true }).count()).toBe(0)
    await dialog.getByRole('switch', { name: 'Write a note' }).check()
    expect(await violationsOf(page)).toEqual([])
    await screenshot(page, 'tools-dialog')
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByRole('button', { name: 'Tools: 1 is on' }).count()).toBe(1)
    await page.reload()
    await page.getByRole('button', { name: 'Tools: 1 is on' }).click()

    await dialog.getByRole('button', { name: 'Use this choice for new chats' }).click()
    await dialog.getByText('New chats begin with this choice.').waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'New chat' }).first().click()
    await page.getByRole('button', { name: 'Tools: 1 is on' }).waitFor()
    expect(complaints).toEqual([])
  })

  it('are asked with consent, in words that a keyboard and a screen reader reach, and results are text', async () => {
    await using watched = await openWithAxe({ viewport: { width: 390, height: 800 } })
    const { page, complaints } = watched
    await switchOn(page, 'Calculator', 'Look it up', 'Write a note')
    await ask(page, 'compute it')
    await consentTo(page, 'Calculator').and(page.locator(':focus')).waitFor()
    await page.getByText('Your decision is needed').waitFor({ state: 'attached' })
    await untilStill(page)
    expect(await violationsOf(page)).toEqual([])
    await screenshot(page, 'tools-consent')
    await tabTo(page, 'button', /^Allow for this chat$/)
    await page.keyboard.press('Enter')
    expect(await answered(page)).toMatch(/Let me see\.\s*Asked Calculator: 12\*7 → 84.*All done\./s)

    await ask(page, 'both at once')
    await consentTo(page, 'Write a note').waitFor()
    expect(await page.getByRole('button', { name: 'Allow for this chat' }).count()).toBe(0)
    await decide(page, 'Write a note', 'Decline')
    expect(await answered(page)).toContain('You declined Write a note: two')
    expect(prompts.at(-1)).toContain('The user declined this call.')

    await ask(page, 'write it')
    await expect
      .poll(() => consentTo(page, 'Write a note').textContent())
      .toContain('See <b>here</b>\\u{202e}!')
    await decide(page, 'Write a note', 'Allow once')
    await answered(page)
    expect(notes).toEqual(['See <b>here</b>\u202e!'])

    await ask(page, 'look it up')
    await decide(page, 'Look it up', 'Allow once')
    await answered(page)
    await page.getByText(/^Asked Look it up/).click()
    await expect.poll(() => page.getByRole('region', { name: /^Result/ }).textContent()).toContain(HOSTILE)
    expect(await page.locator('article img').count()).toBe(0)
    expect(await violationsOf(page)).toEqual([])
    await screenshot(page, 'tools-result')
    expect(complaints).toEqual([])
  })

  it('ask again after a reload, and nothing is sent before', async () => {
    await using watched = await openPage(browser, chat.url)
    const { page, complaints } = watched
    await switchOn(page, 'Write a note')
    await ask(page, 'write it')
    await consentTo(page, 'Write a note').waitFor()
    await page.reload()
    await consentTo(page, 'Write a note').waitFor()
    expect(notes).toEqual([])
    await decide(page, 'Write a note', 'Allow once')
    await answered(page)
    expect(notes).toHaveLength(1)
    const before = await lastText(page)
    await page.reload()
    await expect.poll(() => lastText(page)).toContain('Asked Write a note')
    expect(await answered(page)).toBe(before)

    await page.getByRole('button', { name: 'Regenerate' }).click()
    await consentTo(page, 'Write a note').waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    expect(await answered(page)).toMatch(/Stopped Write a note/)
    expect(notes).toHaveLength(1)
    expect(complaints).toEqual([])
  })

  it('are cancelled by Stop, up to their server', async () => {
    await using watched = await openPage(browser, chat.url)
    const { page } = watched
    await switchOn(page, 'Wait')
    await ask(page, 'wait for it')
    await decide(page, 'Wait', 'Allow once')
    await page.getByText(/^Asking Wait/).waitFor()
    expect(cancelled).toBe(0)
    await page.getByRole('button', { name: 'Stop' }).click()
    expect(await answered(page)).toContain('Stopped Wait')
    await expect.poll(() => cancelled).toBe(1)
    await page.getByRole('button', { name: 'Continue' }).click()
    await decide(page, 'Wait', 'Decline')
    expect(await answered(page)).toMatch(/You declined Wait.*All done\./s)
  })

  it('end at the limit of rounds, which is told, with an answer', async () => {
    await using watched = await openPage(browser, chat.url)
    const { page } = watched
    await switchOn(page, 'Calculator')
    await ask(page, 'loop on')
    await decide(page, 'Calculator', 'Allow for this chat')
    const text = await answered(page)
    expect(text.match(/Asked Calculator/g)).toHaveLength(3)
    expect(text).toContain('has called tools 3 times')
    expect(text).toContain('No calls any more.')
  })

  it('belong to each side of a comparison', async () => {
    await using watched = await openPage(browser, chat.url)
    const { page, complaints } = watched
    await page.getByRole('link', { name: 'Compare' }).click()
    const side = (letter: string) => page.getByRole('region', { name: `Side ${letter}`, exact: true })
    await side('B').getByRole('button', { name: 'Tools' }).click()
    await dialogOf(page).getByRole('switch', { name: 'Calculator' }).check()
    await page.keyboard.press('Escape')
    await ask(page, 'compute it')
    await decide(page, 'Calculator', 'Allow once')
    await expect.poll(() => side('B').textContent()).toContain('Asked Calculator: 12*7 → 84')
    expect(await side('A').textContent()).not.toContain('Asked')
    await expect.poll(() => articles(page).count()).toBe(4)
    await screenshot(page, 'tools-compare')
    expect(complaints).toEqual([])
  })
})
