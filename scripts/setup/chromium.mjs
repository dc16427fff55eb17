import { installFromDebian, isProgram } from './debian.mjs'

/** Browsers that playwright-core can drive, by their names in distributions. */
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

async function hasBrowser() {
  if (process.env.CHROMIUM_PATH) return true
  for (const name of names) if (await isProgram(name)) return true
  return false
}

/** Installs Chromium for the browser tests, from Debian, if it is missing and this user may install it. */
export async function installChromium() {
  if (await hasBrowser()) return
  await installFromDebian(
    'Chromium',
    ['chromium', 'fonts-dejavu-core'],
    'The browser tests need Chromium, which was not found. Set CHROMIUM_PATH to a Chromium or Chrome, or install one',
  )
}
