// npm run screenshots: takes the pictures of the README again, with the default model and with a scripted swarm.
import { mkdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser, openPage } from '../tests/e2e/support/browser.ts'
import { answered, ask, settle } from '../tests/e2e/support/chat-page.ts'
import { startPetalsChat, withDefaultModel } from '../tests/e2e/support/petals-chat.ts'
import { startScriptedChat } from '../tests/e2e/support/scripted-chat.ts'
import { asOfSwarm } from '../tests/e2e/support/scripted-swarm-chat.ts'

const folder = fileURLToPath(new URL('../docs/images', import.meta.url))
const MAX_BYTES = 200_000
const phone: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
}
const earlier = ['What is the capital of France?', 'Write a poem about the sea.', 'Why is the sky blue?']
const question = 'Write a Python function that returns the n-th Fibonacci number.'

await mkdir(folder, { recursive: true })
const browser = await launchBrowser()
try {
  await takeChat(browser)
  await takeSwarm(browser)
} finally {
  await browser.close()
}

async function takeChat(withBrowser: Browser): Promise<void> {
  await using server = await startPetalsChat({ env: await withDefaultModel() })
  await using desktop = await openPage(withBrowser, server.url)
  await lead(desktop.page, [...earlier, question])
  await take(desktop.page, 'chat')
  await desktop.page.emulateMedia({ colorScheme: 'dark' })
  await take(desktop.page, 'chat-dark')
  await using mobile = await openPage(withBrowser, server.url, { ...phone, colorScheme: 'dark' })
  await lead(mobile.page, [question])
  await take(mobile.page, 'phone')
}

async function takeSwarm(withBrowser: Browser): Promise<void> {
  const spec = {
    id: 'petals-team/StableBeluga2',
    displayName: 'Stable Beluga 2 (70B)',
    engine: 'petals' as const,
  }
  await using server = await startScriptedChat({ ...asOfSwarm, specs: [spec] })
  await using desktop = await openPage(withBrowser, server.url)
  const { page } = desktop
  await page.getByRole('link', { name: 'Swarm' }).click()
  await page.getByRole('table').waitFor()
  await take(page, 'swarm')
}

/** Starts a chat for each question. The answers are always the same. */
async function lead(page: Page, questions: readonly string[]): Promise<void> {
  for (const each of questions) {
    await page.getByRole('button', { name: 'New chat' }).click()
    await settle(page, 220)
    await ask(page, each)
    await answered(page)
  }
}

async function take(page: Page, name: string): Promise<void> {
  const file = path.join(folder, `${name}.png`)
  // Hovers over nothing; the caret is hidden.
  await page.mouse.move(0, 0)
  await page.screenshot({ path: file, caret: 'hide', animations: 'disabled' })
  const { size } = await stat(file)
  console.log(`docs/images/${name}.png: ${Math.round(size / 1000)} kB`)
  if (size > MAX_BYTES) throw new Error(`${name}.png is larger than ${MAX_BYTES / 1000} kB.`)
}
