import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkNodeVersion } from './doctor/machine-checks.ts'
import { judgeNode } from './node-release.ts'

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')

describe('the version of Node.js', () => {
  it.each(['22.23.5', '24.22.3', '24.22.10', '24.23.0', '26.12.1', '28.0.0'])('%s is safe', (version) => {
    expect(judgeNode(version)).toEqual({ state: 'ok' })
    expect(checkNodeVersion(version).status).toBe('ok')
  })

  it.each([
    ['24.22.2', 'lacks the security fixes of 24.22.3'],
    ['24.0.0', 'lacks the security fixes of 24.22.3'],
    ['22.12.0', 'lacks the security fixes of 22.23.5'],
    ['23.11.0', 'no security fixes any more'],
    ['25.9.0', 'no security fixes any more'],
  ])('%s is warned of: it %s', (version, problem) => {
    const judged = judgeNode(version)
    expect(judged).toMatchObject({ state: 'unsafe', problem: expect.stringContaining(problem) as string })
    expect(checkNodeVersion(version)).toMatchObject({ status: 'warning' })
  })

  it.each(['22.11.9', '20.20.2', '18.0.0'])('%s is refused', (version) => {
    expect(judgeNode(version).state).toBe('refused')
    expect(checkNodeVersion(version).status).toBe('failure')
  })

  it('has one oldest one: of the launcher, of npm, and of the check', () => {
    const { oldest } = JSON.parse(read('../node-releases.json')) as { readonly oldest: string }
    const [major, minor] = oldest.split('.')
    expect(read('../bin/petals-chat.mjs')).toContain(
      `version[0] < ${major} || (version[0] === ${major} && version[1] < ${minor})`,
    )
    expect(JSON.parse(read('../package.json'))).toMatchObject({ engines: { node: `>=${major}.${minor}` } })
  })
})
