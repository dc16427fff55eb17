import { installFromDebian, isProgram } from './debian.mjs'

/** Installs `systemd-analyze`, with which a test checks the unit of docs/deployment.md. It starts nothing. */
export async function installSystemdAnalyze() {
  if (process.platform !== 'linux' || (await isProgram('systemd-analyze'))) return
  await installFromDebian(
    'systemd-analyze',
    ['systemd'],
    'The test of the systemd unit needs systemd-analyze, which was not found. Install it',
  )
}
