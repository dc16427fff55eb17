import { installFromDebian, isProgram } from './debian.mjs'
import { run } from './progress.mjs'

/** Installs Valkey, or Redis where Debian has no Valkey yet, with which tests share limits between gateways. */
export async function installValkey() {
  if (process.platform !== 'linux') return
  if ((await isProgram('valkey-server')) || (await isProgram('redis-server'))) return
  const name = (await hasPackage('valkey-server')) ? 'valkey-server' : 'redis-server'
  await installFromDebian(
    name === 'valkey-server' ? 'Valkey' : 'Redis',
    [name],
    'The test of shared limits needs Valkey or Redis, and neither was found. Install it',
  )
  // Debian's package starts a service on port 6379, which a test set-up must not leave running.
  await run('systemctl', ['disable', '--now', name], { allowFailure: true })
}

/** Reports whether Debian's lists on this machine have a package that can be installed. */
async function hasPackage(name) {
  return (await run('apt-cache', ['show', name], { allowFailure: true })).code === 0
}
