// npm run bench:systemd (as root, on Debian, after npm run bench:image)
//
// Runs deploy/petals-chat.service under Debian's systemd in a container made from the image: does the program work behind all
// restrictions of the unit, is it started again, does it stop? Two things differ from the file: LimitNOFILE, which a container
// may not raise, and the names of the two folders, which are volumes of the image.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { defaultModelPath, testCacheHome } from '../tests/support/model.ts'
import { program } from './image/container.ts'
import { Podman } from './image/podman.ts'
import { ask, isReady } from './image/questions.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = path.join(root, '.cache/image')
const podman = new Podman(folder)
const name = 'petals-chat-systemd'
const command = [...program, '--config', '/etc/petals-chat/petals-chat.yaml']

const renamed = (file: string): string =>
  readFileSync(path.join(root, 'deploy', file), 'utf8')
    .replaceAll('/var/lib/petals-chat', '/var/lib/chat-state')
    .replaceAll('/var/cache/petals-chat', '/var/cache/chat-cache')

function build(): void {
  const context = path.join(folder, 'systemd')
  mkdirSync(context, { recursive: true })
  const unit = renamed('petals-chat.service')
    .replace('StateDirectory=petals-chat', 'StateDirectory=chat-state')
    .replace('CacheDirectory=petals-chat', 'CacheDirectory=chat-cache')
    .replace('/usr/bin/node /opt/petals-chat/', '/usr/local/bin/node /app/')
    .replace(/^LimitNOFILE=.*$/m, 'LimitNOFILE=4096')
  writeFileSync(path.join(context, 'petals-chat.service'), unit)
  writeFileSync(path.join(context, 'petals-chat.yaml'), renamed('petals-chat.yaml'))
  const lines = [
    'FROM petals-chat',
    'USER 0',
    'RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends systemd libnss-systemd',
    'COPY petals-chat.service /etc/systemd/system/',
    'COPY petals-chat.yaml /etc/petals-chat/',
    'RUN mkdir -p /var/cache/private/chat-cache && systemctl set-default multi-user.target',
    'ENTRYPOINT ["/lib/systemd/systemd"]',
    'STOPSIGNAL SIGRTMIN+3',
  ]
  writeFileSync(path.join(context, 'Dockerfile'), lines.join('\n'))
  podman.show(
    'build',
    '--quiet',
    '--pull=never',
    '--isolation=chroot',
    '--format=docker',
    '-t',
    name,
    context,
  )
}

function start(): void {
  const rights = ['SYS_ADMIN', 'SYS_PTRACE', 'SETPCAP', 'DAC_READ_SEARCH', 'MKNOD', 'SYS_CHROOT'].join()
  const open = ['seccomp=unconfined', 'apparmor=unconfined', 'unmask=ALL'].flatMap((each) => [
    '--security-opt',
    each,
  ])
  const limits = ['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=2000:2000', '--network', 'none']
  podman.read(
    'run',
    '--detach',
    '--name',
    name,
    '--systemd=always',
    '--cap-add',
    rights,
    ...open,
    ...limits,
    '--no-healthcheck',
    name,
  )
}

const run = (...args: readonly string[]) => podman.run('exec', name, ...args)
const shell = (script: string): string => run('sh', '-c', script).output
const show = (property: string): string => shell(`systemctl show -p ${property} --value petals-chat`)

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!isSo()) {
    if (Date.now() > deadline)
      throw new Error(`${what}: not within a minute\n${shell('systemctl status petals-chat')}`)
    await delay(500)
  }
  console.log(`ok: ${what}`)
}

async function check(): Promise<void> {
  await until('systemd is up', () => shell('systemctl is-system-running').match(/running|degraded/) !== null)
  podman.read('cp', path.join(testCacheHome, 'petals-chat'), `${name}:/var/cache/private/chat-cache/`)
  shell('systemctl start petals-chat')
  await until('the model loads', () => run('node', '-e', isReady).code === 0)
  const key = run(...command, 'keys', 'create', 'lab').stdout
  const answers = (): boolean => run('node', '-e', ask, key).output.startsWith('200 ')
  await until('it answers with a key that root made', answers)
  const pid = show('MainPID')
  const status = shell(`grep -E 'Uid|CapBnd|NoNewPrivs|Seccomp:' /proc/${pid}/status`)
  await until(`it has no rights: ${status.replace(/\s+/g, ' ')}`, () =>
    /Uid:\s[1-9][^]*CapBnd:\s0+\n[^]*NoNewPrivs:\s1\n[^]*Seccomp:\s2/.test(status),
  )
  shell(`kill -9 $(cat /proc/${pid}/task/*/children)`)
  await until('a killed engine is replaced', answers)
  shell(`kill -9 ${pid}`)
  await until('a killed server is started again', () => show('MainPID') !== pid && answers())
  shell('systemctl stop petals-chat')
  await until(
    `it stops: ${show('Result')}`,
    () => show('ActiveState') === 'inactive' && show('Result') === 'success',
  )
}

await defaultModelPath()
build()
podman.run('rm', '--force', '--time', '1', name)
try {
  start()
  await check()
} finally {
  podman.run('rm', '--force', '--time', '5', name)
}
