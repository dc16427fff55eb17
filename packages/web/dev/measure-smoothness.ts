import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { preview } from 'vite'
import { fillDatabase, longChat } from './fill-database.ts'
import { scriptedGateway } from './scripted-gateway.ts'
import { longTour } from './scripts.ts'
import { readTrace, type Figures } from './trace.ts'

/**
 * Measures how smoothly the built page runs in Chromium, and fails if it does not: `npm run measure -w packages/web`.
 * It opens and scrolls a chat of 400 messages, then streams an answer with everything that is expensive to render at 60
 * tokens per second, while it types.
 */
const MESSAGES = 400
const STREAM_MS = 20_000
/**
 * Milliseconds; a task of 200 ms is noticeable. Counts the CPU time of the page's thread, not its waits for other
 * programs.
 */
const MAX_TASK_MS = 200

const server = await preview({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  plugins: [scriptedGateway()],
  preview: { port: 0, host: '127.0.0.1' },
})
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(server.resolvedUrls!.local[0]!)
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  await page.evaluate(fillDatabase, longChat(MESSAGES, longTour(1)))
  await page.reload()
  report(`opening ${MESSAGES} messages`, await traced(browser, page, () => openChat(page)))
  report('scrolling', await traced(browser, page, () => scroll(page)))
  report('streaming and typing', await traced(browser, page, () => streamAndType(page)))
} finally {
  await browser.close()
  await server.close()
}

async function openChat(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'A long chat' }).click()
  await page
    .getByRole('article')
    .nth(MESSAGES - 1)
    .waitFor()
  await page.waitForTimeout(1000)
}

async function scroll(page: Page): Promise<void> {
  await page.getByRole('region', { name: 'Conversation' }).hover()
  for (let step = 0; step < 60; step++) {
    await page.mouse.wheel(0, step < 40 ? -1500 : 2500)
    await page.waitForTimeout(50)
  }
}

async function streamAndType(page: Page): Promise<void> {
  const field = page.getByRole('textbox', { name: 'Message' })
  await field.fill('Show me everything')
  await page.keyboard.press('Enter')
  const end = performance.now() + STREAM_MS
  while (performance.now() < end) await field.pressSequentially('while it writes ', { delay: 60 })
  if ((await field.inputValue()).length < 40) fail('keys were lost')
  await page.getByRole('button', { name: 'Stop' }).click()
}

async function traced(browser: Browser, page: Page, action: () => Promise<void>): Promise<Figures> {
  await browser.startTracing(page, { categories: ['disabled-by-default-devtools.timeline'] })
  await action()
  return readTrace(await browser.stopTracing())
}

function report(what: string, { longestTaskMs, tasksOver50, busyShare }: Figures): void {
  const busy = Math.round(busyShare * 100)
  console.log(
    `${what}: longest task ${longestTaskMs} ms, ${tasksOver50} tasks over 50 ms, thread busy ${busy} % of the time`,
  )
  if (longestTaskMs > MAX_TASK_MS) fail(`${MAX_TASK_MS} ms for a task at most are fine`)
}

function fail(why: string): void {
  console.error(`  Not smooth: ${why}.`)
  process.exitCode = 1
}
