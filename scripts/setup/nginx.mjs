import { installFromDebian, isProgram } from './debian.mjs'

/** A test shows the page below a path of a real proxy. */
export async function installNginx() {
  if (process.platform !== 'linux' || (await isProgram('nginx', ['-v']))) return
  await installFromDebian(
    'nginx',
    ['nginx-light'],
    'The test of the page behind a proxy needs nginx, and none was found. Install it',
  )
}
