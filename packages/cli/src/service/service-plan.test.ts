import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { planService } from './service-plan.ts'

/** Words that each system's format could take for its own. */
const command = ['/bin/true', 'a b', '100%', '$HOME', 'say "hi"', 'C:\\x\\', '<&>'] as const
const program = { command: [...command] as [string, ...string[]], workingDirectory: '/tmp' }
const owner = { home: '/home/ada', userId: 1000 }
const plan = (platform: NodeJS.Platform) => planService(platform, program, owner)!

/** Python's parsers read what Apple's and Microsoft's tools read. */
function python(code: string, input: string): unknown {
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
    expect(python(code, plan('darwin').content)).toMatchObject({
      Label: 'org.petals-chat.server',
      ProgramArguments: command,
      WorkingDirectory: '/tmp',
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
    })
    expect(plan('darwin').install).toEqual([['launchctl', 'bootstrap', 'gui/1000', plan('darwin').file]])
  })

  it('is a task of Windows', () => {
    const code =
      'import json, sys, xml.etree.ElementTree as tree\n' +
      'root = tree.fromstring(sys.stdin.read().split("?>", 1)[1])\n' +
      'print(json.dumps({each.tag.split("}")[1]: each.text for each in root.iter()}))'
    expect(python(code, plan('win32').content)).toMatchObject({
      Command: '/bin/true',
      Arguments: '"a b" "100%" "$HOME" "say \\"hi\\"" "C:\\x\\\\" "<&>"',
    })
    expect(plan('win32').encoding).toBe('utf16le')
  })

  it('has no plan elsewhere', () => {
    expect(planService('aix', program, owner)).toBeUndefined()
  })
})
