import { installFromDebian, isProgram } from './debian.mjs'
import { run } from './progress.mjs'

/** Installs Caddy, with which a test runs the Caddyfile of docs/deployment.md. */
export async function installCaddy() {
  if (process.platform !== 'linux' || (await isProgram('caddy', ['version']))) return
  await installFromDebian(
    'Caddy',
    ['caddy'],
    'The test of the deployment behind Caddy needs Caddy, which was not found. Install it',
  )
  // Debian's package starts a service on port 80, which a test set-up must not leave running.
  await run('systemctl', ['disable', '--now', 'caddy'], { allowFailure: true })
}
