import { installFromDebian, isProgram } from './debian.mjs'

/** A test looks at every connection that a session makes, by the system calls of its processes. */
export async function installStrace() {
  if (process.platform !== 'linux' || (await isProgram('strace'))) return
  await installFromDebian(
    'strace',
    ['strace'],
    'The test of what leaves this machine needs strace, and none was found. Install it',
  )
}
