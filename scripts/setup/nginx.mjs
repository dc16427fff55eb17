import { installFromDebian, isProgram } from './debian.mjs'
import { run } from './progress.mjs'

/** Installs nginx, with which a test serves the page below a path of a real proxy. */
export async function installNginx() {
  if (process.platform !== 'linux' || (await isProgram('nginx', ['-v']))) return
  await installFromDebian(
    'nginx',
    ['nginx-light'],
    'The test of the page behind a proxy needs nginx, which was not found. Install it',
  )
  // Debian's package starts a service on port 80, which a test set-up must not leave running.
  await run('systemctl', ['disable', '--now', 'nginx'], { allowFailure: true })
}
