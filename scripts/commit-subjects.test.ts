import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'

/** `package: imperative sentence` (CONTRIBUTING.md); several packages are separated by commas. */
const subjectPattern = /^(?:[a-z][a-z0-9-]*(?:, [a-z][a-z0-9-]*)*: \S.*[^.]|Merge .*|Revert ".*")$/

describe('commit subjects', () => {
  it.each([
    ['gateway: refuse unknown hosts', true],
    ['llama, petals: close the engine', true],
    ['Refuse unknown hosts', false],
    ['gateway: refuse unknown hosts.', false],
    ['gateway:refuse', false],
  ])('%j matches: %s', (subject, matches) => {
    expect(subjectPattern.test(subject)).toBe(matches)
  })

  it('of the last commits match', () => {
    // A source archive has no commits.
    const { stdout = '' } = spawnSync('git', ['log', '-20', '--format=%s'], { encoding: 'utf8' })
    const subjects = stdout.split('\n').filter(Boolean)
    expect(subjects.filter((subject) => !subjectPattern.test(subject))).toEqual([])
  })
})
