import { installFromDebian, isProgram } from './debian.mjs'
import { run } from './progress.mjs'

/** Installs Caddy, with which a test runs the Caddyfile of docs/deployment.md, and openssl for its certificate. */
export async function installCaddy() {
  if (process.platform !== 'linux') return
  if ((await isProgram('caddy', ['version'])) && (await isProgram('openssl', ['version']))) return
  await installFromDebian(
    'Caddy',
    ['caddy', 'openssl'],
    'The test of the deployment behind Caddy needs Caddy and openssl, which were not found. Install them',
  )
  // Debian's package starts a service on port 80, which a test set-up must not leave running.
  await run('systemctl', ['disable', '--now', 'caddy'], { allowFailure: true })
}
