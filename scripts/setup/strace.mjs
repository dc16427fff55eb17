import { installFromDebian, isProgram } from './debian.mjs'

/** Installs strace, with which a test records every connection of a session from the system calls of its processes. */
export async function installStrace() {
  if (process.platform !== 'linux' || (await isProgram('strace'))) return
  await installFromDebian(
    'strace',
    ['strace'],
    'The test of network connections needs strace, which was not found. Install it',
  )
}
