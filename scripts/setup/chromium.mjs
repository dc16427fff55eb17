import { SetupError, run, startProgress } from './progress.mjs'

/** Browsers that playwright-core can drive, by the names that distributions give them. */
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

async function findBrowser() {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH
  for (const name of names) {
    if ((await run(name, ['--version'], { allowFailure: true })).code === 0) return name
  }
  return undefined
}

/** The browser tests need Chromium: taken from Debian where it is missing and this user may install it. */
export async function installChromium() {
  if (await findBrowser()) return
  const isRoot = process.getuid?.() === 0
  const hasApt = (await run('apt-get', ['--version'], { allowFailure: true })).code === 0
  if (!isRoot || !hasApt) {
    throw new SetupError(
      'The browser tests need Chromium, and none was found. Install it (on Debian: sudo apt-get install chromium) ' +
        'or set CHROMIUM_PATH to a Chromium or Chrome, then run npm test again. npm start needs none.',
    )
  }
  const finish = startProgress('Installing Chromium')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { env })
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'], {
    env,
  })
  finish('done')
}
