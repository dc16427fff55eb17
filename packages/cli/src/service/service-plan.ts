import path from 'node:path'

/** The two services of a user: the chat page and the APIs, and a server of blocks. They run beside each other. */
export type ServiceName = 'serve' | 'contribute'

/** What the service runs. */
export interface ServiceProgram {
  readonly name: ServiceName
  /** Absolute path of the program, then its arguments. */
  readonly command: readonly [string, ...string[]]
  readonly workingDirectory: string
}

/** The person for whom the service runs. */
export interface ServiceOwner {
  readonly home: string
  /** On Linux and macOS. */
  readonly userId: number
  /** On Windows: `DOMAIN\\name`. */
  readonly account: string
}

type Command = readonly [program: string, ...args: string[]]

/** How one system keeps a program running: a file that describes it, and the commands that use the file. */
export interface ServicePlan {
  readonly file: string
  readonly content: string
  readonly encoding: 'utf8' | 'utf16le'
  /** Stops an earlier version of the service; fails if there is none. */
  readonly beforeInstall: readonly Command[]
  readonly install: readonly Command[]
  /** Before the file is deleted. */
  readonly uninstall: readonly Command[]
  readonly afterUninstall: readonly Command[]
  readonly status: Command
  /** What the person should know. */
  readonly note: string
}

/** @returns undefined for a system that has no plan. */
export function planService(
  platform: NodeJS.Platform,
  program: ServiceProgram,
  owner: ServiceOwner,
): ServicePlan | undefined {
  switch (platform) {
    case 'linux':
      return systemdPlan(program, owner)
    case 'darwin':
      return launchdPlan(program, owner)
    case 'win32':
      return taskPlan(program, owner)
    default:
      return undefined
  }
}

/** What systems call each service, and people. */
const names = {
  serve: { file: 'petals-chat', label: 'org.petals-chat.server', title: 'Petals Chat' },
  contribute: {
    file: 'petals-chat-contribute',
    label: 'org.petals-chat.contribute',
    title: 'Petals Chat contribute',
  },
} as const

function systemdPlan(
  { name, command, workingDirectory }: ServiceProgram,
  { home }: ServiceOwner,
): ServicePlan {
  const unit = `${names[name].file}.service`
  return {
    file: path.posix.join(home, '.config/systemd/user', unit),
    encoding: 'utf8',
    // Answers that run have 30 s to finish (server.drainTimeoutMs), and sessions of a server of blocks.
    content: `[Unit]
Description=${names[name].title}
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${command.map(systemdWord).join(' ')}
WorkingDirectory=${workingDirectory.replaceAll('%', '%%')}
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
TimeoutStopSec=45
KillMode=mixed
OOMPolicy=continue
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=default.target
`,
    beforeInstall: [],
    install: [
      ['systemctl', '--user', 'daemon-reload'],
      ['systemctl', '--user', 'enable', unit],
      ['systemctl', '--user', 'restart', unit],
    ],
    uninstall: [['systemctl', '--user', 'disable', '--now', unit]],
    afterUninstall: [['systemctl', '--user', 'daemon-reload']],
    status: ['systemctl', '--user', 'status', '--no-pager', unit],
    note:
      'It runs while you are logged in; `loginctl enable-linger` keeps it running, also after a restart of the machine. ' +
      `Its log: journalctl --user -u ${unit}. A server for others is better a system service: docs/deployment.md.`,
  }
}

/** systemd reads `%`, `$`, quotes and backslashes in a command line. */
const systemdWord = (word: string): string =>
  `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`

function launchdPlan(
  { name, command, workingDirectory }: ServiceProgram,
  { home, userId }: ServiceOwner,
): ServicePlan {
  const { label } = names[name]
  const file = path.posix.join(home, 'Library/LaunchAgents', `${label}.plist`)
  const log = path.posix.join(home, 'Library/Logs', `${names[name].file}.log`)
  const domain = `gui/${userId}`
  return {
    file,
    encoding: 'utf8',
    content: `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>${label}</string>
  <key>ProgramArguments</key>
  <array>
${command.map((word) => `    <string>${xmlText(word)}</string>`).join('\n')}
  </array>
  <key>WorkingDirectory</key><string>${xmlText(workingDirectory)}</string>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>ThrottleInterval</key><integer>10</integer>
  <key>ExitTimeOut</key><integer>45</integer>
  <!-- Otherwise launchd slows the processor and the disk down, as for work in the background. -->
  <key>ProcessType</key><string>Interactive</string>
  <key>Umask</key><integer>63</integer>
  <key>StandardErrorPath</key><string>${xmlText(log)}</string>
</dict>
</plist>
`,
    // Without the first, the last one fails if the service is there already; without the second, if it was disabled.
    beforeInstall: [['launchctl', 'bootout', `${domain}/${label}`]],
    install: [
      ['launchctl', 'enable', `${domain}/${label}`],
      ['launchctl', 'bootstrap', domain, file],
    ],
    uninstall: [['launchctl', 'bootout', `${domain}/${label}`]],
    afterUninstall: [],
    status: ['launchctl', 'print', `${domain}/${label}`],
    note: `It runs while you are logged in. Its log: ${log}.`,
  }
}

const serviceFiles = { serve: 'service.xml', contribute: 'contribute-service.xml' } as const

/** By the schema of the task scheduler (Microsoft, MS-TSCH 2.5). A trigger for all users would need an administrator. */
function taskPlan(
  { name, command, workingDirectory }: ServiceProgram,
  { home, account }: ServiceOwner,
): ServicePlan {
  const task = names[name].title
  const [program, ...args] = command
  const file = path.win32.join(home, 'AppData\\Local\\petals-chat', serviceFiles[name])
  return {
    file,
    // What the task scheduler writes itself.
    encoding: 'utf16le',
    content: `\uFEFF<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><Enabled>true</Enabled><UserId>${xmlText(account)}</UserId></LogonTrigger></Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${xmlText(account)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <!-- The default, 7, is for work in the background: a lower priority of processor, disk and memory. -->
    <Priority>5</Priority>
    <RestartOnFailure><Interval>PT1M</Interval><Count>255</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${xmlText(program)}</Command>
      <Arguments>${xmlText(args.map(windowsWord).join(' '))}</Arguments>
      <WorkingDirectory>${xmlText(workingDirectory)}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
`,
    // `/run` starts no second instance: without this, the old one would go on.
    beforeInstall: [['schtasks', '/end', '/tn', task]],
    install: [
      ['schtasks', '/create', '/tn', task, '/xml', file, '/f'],
      ['schtasks', '/run', '/tn', task],
    ],
    uninstall: [
      ['schtasks', '/end', '/tn', task],
      ['schtasks', '/delete', '/tn', task, '/f'],
    ],
    afterUninstall: [],
    status: ['schtasks', '/query', '/tn', task, '/v', '/fo', 'list'],
    note: 'It starts when you log in.',
  }
}

/** Backslashes before a quote count twice on a command line of Windows. */
const windowsWord = (word: string): string =>
  `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1')}"`

const xmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
