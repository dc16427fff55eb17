import type { Browser } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { launchBrowser } from './browser.ts'
import { startPetalsChat, withDefaultModel, type PetalsChat } from './petals-chat.ts'

interface DefaultChat {
  readonly server: PetalsChat
  readonly browser: Browser
}

/** The program with its default model, and a browser, for all tests of a file; there once the tests run. */
export function useDefaultChat(): DefaultChat {
  let server: PetalsChat
  let browser: Browser
  beforeAll(async () => {
    server = await startPetalsChat({ env: await withDefaultModel() })
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await server[Symbol.asyncDispose]()
  })
  return {
    get server() {
      return server
    },
    get browser() {
      return browser
    },
  }
}
