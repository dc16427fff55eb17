import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { planService } from './service-plan.ts'

/** Words that each system's format could take for its own. */
const command = ['/bin/true', 'a b', '100%', '$HOME', 'say "hi"', 'C:\\x\\', '<&>'] as const
const program = {
  name: 'serve' as const,
  command: [...command] as [string, ...string[]],
  workingDirectory: '/tmp',
}
const owner = { home: '/home/ada', userId: 1000, account: 'LAB\\ada & co' }
const plan = (platform: NodeJS.Platform) => planService(platform, program, owner)!

/** Python's parsers read what Apple's and Microsoft's tools read. */
function python(code: string, input: Buffer): unknown {
  const { status, stdout, stderr } = spawnSync('python3', ['-c', code], { input, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

describe('the service of a user', () => {
  it('is a valid unit of systemd', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'petals-chat-service-'))
    try {
      const file = path.join(folder, 'petals-chat.service')
      writeFileSync(file, plan('linux').content)
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
        encoding: 'utf8',
      })
      expect([status, stderr.trim()]).toEqual([0, ''])
      expect(plan('linux').content).toContain(
        'ExecStart="/bin/true" "a b" "100%%" "$$HOME" "say \\"hi\\"" "C:\\\\x\\\\" "<&>"',
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('is a property list for launchd', () => {
    const code = 'import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))'
    const { content, file, beforeInstall, install } = plan('darwin')
    // Each key has the type that launchd.plist(5) gives it; what it does not know would be ignored.
    expect(python(code, Buffer.from(content))).toEqual({
      Label: path.posix.basename(file, '.plist'),
      ProgramArguments: command,
      WorkingDirectory: '/tmp',
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 10,
      ExitTimeOut: 45,
      ProcessType: 'Interactive',
      Umask: 0o077,
      StandardErrorPath: '/home/ada/Library/Logs/petals-chat.log',
    })
    expect(path.posix.dirname(file)).toBe('/home/ada/Library/LaunchAgents')
    const service = 'gui/1000/org.petals-chat.server'
    expect(beforeInstall).toEqual([['launchctl', 'bootout', service]])
    expect(install).toEqual([
      ['launchctl', 'enable', service],
      ['launchctl', 'bootstrap', 'gui/1000', file],
    ])
  })

  it('is a task of Windows, by the schema of its task scheduler', () => {
    const code =
      'import json, sys, xml.etree.ElementTree as tree\n' +
      'root = tree.fromstring(sys.stdin.buffer.read())\n' +
      'names = lambda each: each.tag.removeprefix("{http://schemas.microsoft.com/windows/2004/02/mit/task}")\n' +
      'read = lambda each: {names(child): read(child) for child in each} if len(each) else each.text\n' +
      'print(json.dumps({names(root): read(root), "version": root.get("version")}))'
    const { content, encoding, beforeInstall, install } = plan('win32')
    // The actions run for the principal of that name.
    expect(content).toContain('<Principal id="Author">')
    expect(content).toContain('<Actions Context="Author">')
    expect([...beforeInstall, ...install].map(([, verb]) => verb)).toEqual(['/end', '/create', '/run'])
    // As it is written: the parser finds the encoding by the mark at the start and the declaration.
    expect(python(code, Buffer.from(content, encoding))).toEqual({
      version: '1.2',
      Task: {
        // For one user: a trigger for all of them is for administrators.
        Triggers: { LogonTrigger: { Enabled: 'true', UserId: owner.account } },
        // For the user's own session: no password is kept, and no administrator is needed.
        Principals: {
          Principal: {
            UserId: owner.account,
            LogonType: 'InteractiveToken',
            RunLevel: 'LeastPrivilege',
          },
        },
        Settings: {
          MultipleInstancesPolicy: 'IgnoreNew',
          DisallowStartIfOnBatteries: 'false',
          StopIfGoingOnBatteries: 'false',
          ExecutionTimeLimit: 'PT0S',
          Priority: '5',
          // From one minute to 31 days, and one byte: 255 at most.
          RestartOnFailure: { Interval: 'PT1M', Count: '255' },
        },
        Actions: {
          Exec: {
            Command: '/bin/true',
            Arguments: '"a b" "100%" "$HOME" "say \\"hi\\"" "C:\\x\\\\" "<&>"',
            WorkingDirectory: '/tmp',
          },
        },
      },
    })
  })

  it.each(['linux', 'darwin', 'win32'] as const)(
    'can be there twice on %s: a server of blocks is another one',
    (platform) => {
      const other = planService(platform, { ...program, name: 'contribute' }, owner)!
      expect(other.file).not.toBe(plan(platform).file)
      expect(other.uninstall).not.toEqual(plan(platform).uninstall)
      expect(other.status).not.toEqual(plan(platform).status)
    },
  )

  it('has no plan elsewhere', () => {
    expect(planService('aix', program, owner)).toBeUndefined()
  })
})
