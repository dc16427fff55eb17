import { installFromDebian, isProgram } from './debian.mjs'
import { run } from './progress.mjs'

/** A test shows the page below a path of a real proxy. */
export async function installNginx() {
  if (process.platform !== 'linux' || (await isProgram('nginx', ['-v']))) return
  await installFromDebian(
    'nginx',
    ['nginx-light'],
    'The test of the page behind a proxy needs nginx, and none was found. Install it',
  )
  // Debian's package starts a service on port 80, which is not what a test set-up is asked for.
  await run('systemctl', ['disable', '--now', 'nginx'], { allowFailure: true })
}
