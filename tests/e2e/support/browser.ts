import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { artifactsFolder } from './petals-chat.ts'

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Chromium without anything that would speak to other hosts. `args`: further switches. */
export function launchBrowser(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? candidates[0]!,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  })
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page
  /** What the page should not do: requests to other hosts, errors, dialogs, violations of the content security policy. */
  readonly complaints: string[]
}

/** A page in a fresh profile that notes everything that should not happen. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  const { host } = new URL(url)
  page.on('request', (request) => {
    const target = new URL(request.url())
    if (/^https?:|^wss?:/.test(target.protocol) && target.host !== host)
      complaints.push(`request to ${request.url()}`)
  })
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => {
    if (/Content.Security.Policy|Trusted Type/i.test(message.text())) complaints.push(message.text())
  })
  await page.goto(url)
  return {
    page,
    complaints,
    [Symbol.asyncDispose]: () => context.close(),
  }
}

/** Keeps a picture for a person who looks at a run (artifacts are not committed). */
export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir(artifactsFolder, { recursive: true })
  await page.screenshot({ path: path.join(artifactsFolder, `${name}.png`) })
}
