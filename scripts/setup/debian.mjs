import { SetupError, invokedAs, run, startProgress } from './progress.mjs'

/** Reports whether a program exists and runs. */
export async function isProgram(name, args = ['--version']) {
  return (await run(name, args, { allowFailure: true })).code === 0
}

/** Installs Debian packages if this user may. Otherwise the error begins with `need` and says how to install them. */
export async function installFromDebian(title, packages, need) {
  if (process.getuid?.() !== 0 || !(await isProgram('apt-get')))
    throw new SetupError(
      `${need} (on Debian: sudo apt-get install ${packages.join(' ')}), then run ${invokedAs()} again.`,
    )
  const finish = startProgress(`Installing ${title}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { env })
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env })
  finish('finished')
}
