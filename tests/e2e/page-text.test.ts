import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { launchBrowser, openPage, screenshot } from './support/browser.ts'
import { answered, ask, lastArticle, messageField } from './support/chat-page.ts'
import { questionOf, startScriptedChat, type ScriptedChat } from './support/scripted-chat.ts'

let server: ScriptedChat
let browser: Browser
/** Of the next answer; without it the model repeats the question. */
let answer: string | undefined
beforeAll(async () => {
  server = await startScriptedChat({ reply: (prompt) => answer ?? questionOf(prompt) })
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await server[Symbol.asyncDispose]()
})

/** Asks in a few words, and gives the answer once it is complete. */
async function answerWith(page: Page, text: string): Promise<Locator> {
  answer = text
  await ask(page, 'Go on')
  await answered(page)
  answer = undefined
  return lastArticle(page).locator('> .markdown')
}

const styleOf = (element: Locator, name: string): Promise<string> =>
  element.evaluate((node, property) => getComputedStyle(node).getPropertyValue(property), name)
const boxOf = async (element: Locator) => (await element.boundingBox())!

describe('text of a model', () => {
  it('has formulas where they are, and code as it was written, shown and copied', async () => {
    await using watched = await openPage(browser, server.url, {
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    const { page, complaints } = watched
    const code = 'echo $HOME$X \\[a\\] $$b$$'
    const text = await answerWith(
      page,
      `From $5 to $10, US$20/A$30, $HOME/$USER: $e^{i\\pi}$.\n\n- Step:\n  \`\`\`sh\n  ${code}\n  \`\`\`\n\n> \`\`\`\n> ${code}\n> \`\`\`\n\n\`\`\`math\n\\frac{1}{2}\n\`\`\`\n\n\\begin{align}\na &= b\n\\end{align}\n\n| a |\n|---|\n| $x_1$ |`,
    )
    await expect.poll(() => text.locator('.katex').count()).toBe(4)
    expect(await text.locator('p').first().textContent()).toContain(
      'From $5 to $10, US$20/A$30, $HOME/$USER: ',
    )
    const blocks = text.locator('.code-block')
    expect(await blocks.locator('pre').allTextContents()).toEqual([code, code])
    await blocks.first().getByRole('button', { name: 'Copy' }).click()
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(code)
    await screenshot(page, 'text-formulas')
    expect(complaints).toEqual([])
  })

  it('stands on the side of its language, code from left to right', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    const arabic = 'مرحبا، هذا `code` مثال.'
    const text = await answerWith(
      page,
      `${arabic}\n\nAn English paragraph, too.\n\n- عنصر أول\n- عنصر ثان\n\n> اقتباس قصير\n\n| عمود | b |\n|---|---|\n| قيمة | c |\n\n\`\`\`js\nlet x = 1\n\`\`\``,
    )
    const paragraphs = text.locator('> p')
    expect(await styleOf(paragraphs.nth(0), 'direction')).toBe('rtl')
    expect(await styleOf(paragraphs.nth(1), 'direction')).toBe('ltr')
    for (const block of ['ul', 'blockquote', 'table'])
      expect(await styleOf(text.locator(block), 'direction')).toBe('rtl')
    expect(await styleOf(text.locator('ul'), 'padding-right')).not.toBe('0px')
    expect(await styleOf(text.locator('ul'), 'padding-left')).toBe('0px')
    expect(await styleOf(text.locator('blockquote'), 'border-right-width')).toBe('3px')
    expect(await styleOf(paragraphs.nth(0).locator('code'), 'direction')).toBe('ltr')
    expect(await styleOf(text.locator('pre'), 'direction')).toBe('ltr')

    await messageField(page).fill('שלום, עולם!')
    expect(await styleOf(messageField(page), 'direction')).toBe('rtl')
    await screenshot(page, 'text-right-to-left')
    await page.keyboard.press('Enter')
    await answered(page)
    expect(await styleOf(page.locator('.user-bubble').last(), 'direction')).toBe('rtl')
    expect(complaints).toEqual([])
  })

  it('jumps from a footnote to its note and back, inside of its own message', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    const note = `One[^1].\n\n${'Filler.\n\n'.repeat(40)}[^1]: The note.`
    await answerWith(page, note)
    const text = await answerWith(page, note)
    const place = page.url()
    const ids = await page.locator('[id]').evaluateAll((all) => all.map(({ id }) => id))
    expect(new Set(ids).size).toBe(ids.length)
    await text.getByRole('button', { name: '1', exact: true }).click()
    const item = text.locator('.footnotes li')
    expect(await item.evaluate((node) => node === document.activeElement)).toBe(true)
    await expect.poll(async () => (await boxOf(item)).y).toBeLessThan(800)
    await text.getByRole('button', { name: 'Back to reference 1' }).click()
    await expect.poll(async () => (await boxOf(text.locator('> p').first())).y).toBeGreaterThan(0)
    expect(page.url()).toBe(place)
    expect(complaints).toEqual([])
  })

  it('folds details, breaks lines and draws keys', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    const text = await answerWith(
      page,
      '<details>\n<summary>More</summary>\n\nHidden **words**\n\n</details>\n\nH<sub>2</sub>O<br>press <kbd>Ctrl</kbd> <b>x</b>',
    )
    const hidden = text.getByText('Hidden words')
    expect(await hidden.isVisible()).toBe(false)
    await text.getByText('More').click()
    await expect.poll(() => hidden.isVisible()).toBe(true)
    expect(await text.locator('sub, kbd, br').count()).toBe(3)
    expect(await text.locator('b').count()).toBe(0)
    expect(await text.textContent()).toContain('<b>x</b>')
    expect(complaints).toEqual([])
  })

  it('fits on a phone: tables, code and formulas scroll in the message, long words break', async () => {
    await using watched = await openPage(browser, server.url, {
      viewport: { width: 360, height: 740 },
      hasTouch: true,
    })
    const { page, complaints } = watched
    const cells = Array.from({ length: 8 }, (_, index) => `column number ${index}`)
    const text = await answerWith(
      page,
      `| ${cells.join(' | ')} |\n|${'---|'.repeat(8)}\n| ${cells.join(' | ')} |\n\n${'x'.repeat(400)} https://example.com/${'y'.repeat(200)}\n\n\`\`\`\n${'z '.repeat(200)}\n\`\`\`\n\n$$${'a + '.repeat(60)}b$$`,
    )
    await expect.poll(() => text.locator('.katex').count()).toBe(1)
    const thread = page.getByRole('region', { name: 'Conversation' })
    expect(await thread.evaluate((node) => node.scrollWidth - node.clientWidth)).toBe(0)
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0)
    const scrolls = text.locator('.table-scroll')
    expect(await scrolls.evaluate((node) => node.scrollWidth > node.clientWidth)).toBe(true)
    await screenshot(page, 'text-phone')
    expect(complaints).toEqual([])
  })
})

describe('a chat', () => {
  it('prints as a whole: every message, long lines broken, nothing to click', async () => {
    await using watched = await openPage(browser, server.url, { viewport: { width: 800, height: 300 } })
    const { page, complaints } = watched
    for (let turn = 1; turn <= 6; turn++)
      await answerWith(
        page,
        `# Answer ${turn}

\`\`\`
${'long '.repeat(60)}
\`\`\`

${`Words of answer ${turn}. `.repeat(40)}`,
      )
    // What the browser does when it prints, and what it would put on paper.
    await page.emulateMedia({ media: 'print' })
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')))
    expect(await page.getByRole('article').locator('.markdown h1').allTextContents()).toHaveLength(6)
    expect(await page.locator('button:visible, textarea:visible').count()).toBe(0)
    const pre = page.locator('pre').first()
    expect(await pre.evaluate((node) => node.scrollWidth <= node.clientWidth)).toBe(true)
    const heights = await page.evaluate(() => [document.documentElement.scrollHeight, innerHeight] as const)
    expect(heights[0]).toBeGreaterThan(3 * heights[1])
    await page.evaluate(() => dispatchEvent(new Event('afterprint')))
    await page.emulateMedia({ media: null })
    const pdf = (await page.pdf({ format: 'A4' })).toString('latin1')
    expect(pdf.match(/\/Type\s*\/Page\b/g)!.length).toBeGreaterThan(1)
    await expect.poll(() => page.getByRole('article').count()).toBe(12)
    expect(complaints).toEqual([])
  })

  it('names the window, and tells of an answer that came while it was hidden', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    expect(await page.title()).toBe('Petals Chat')
    await ask(page, 'Ships and harbours')
    await answered(page)
    await expect.poll(() => page.title()).toBe('Ships and harbours – Petals Chat')
    await page.evaluate(() =>
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }),
    )
    await ask(page, 'More')
    await answered(page)
    await expect.poll(() => page.title()).toBe('● Ships and harbours – Petals Chat')
    await page.evaluate(() => {
      delete (document as { hidden?: boolean }).hidden
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await expect.poll(() => page.title()).toBe('Ships and harbours – Petals Chat')
    await page.getByRole('button', { name: 'New chat' }).first().click()
    await expect.poll(() => page.title()).toBe('Petals Chat')
    expect(complaints).toEqual([])
  })
})

describe('a file', () => {
  it('in another encoding is read, says so, and can be read in one that the reader chooses', async () => {
    await using watched = await openPage(browser, server.url)
    const { page, complaints } = watched
    // “łodzé” in Windows-1250; what Windows-1252 makes of it begins with “³”.
    await page.locator('input[type=file]').setInputFiles({
      name: 'a.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from([0xb3, 0x6f, 0x64, 0x7a, 0xe9]),
    })
    const chip = page.getByRole('list', { name: 'Attached files' })
    await chip.getByRole('button', { name: /^Read a\.txt/ }).click()
    const dialog = page.getByRole('dialog', { name: 'a.txt' })
    for (const [name, text] of [
      ['Windows-1252', '³odzé'],
      ['Windows-1250', 'łodzé'],
    ] as const) {
      await dialog.getByLabel('Encoding').selectOption({ label: name })
      await expect.poll(() => dialog.locator('pre').textContent()).toBe(text)
    }
    await page.keyboard.press('Escape')
    await expect.poll(() => chip.textContent()).toContain('Windows-1250')
    await ask(page, 'What does it say?')
    await answered(page)
    expect(await page.getByRole('list', { name: 'Attached files' }).textContent()).toContain('Windows-1250')
    expect(complaints).toEqual([])
  })
})
