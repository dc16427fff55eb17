import { readFileSync } from 'node:fs'

/**
 * The lines of Node.js that get security fixes, with the newest security release of each that is known, from the change
 * logs of Node.js. scripts/setup reads the same file.
 */
interface NodeReleases {
  readonly oldest: string
  readonly lines: Readonly<Record<string, { readonly fixed: string; readonly date: string }>>
}

const releases = JSON.parse(
  readFileSync(new URL('../node-releases.json', import.meta.url), 'utf8'),
) as NodeReleases

/** What a version of Node.js means for the operator: `refused` doesn't run this program, `unsafe` lacks security fixes. */
export type NodeState =
  | { readonly state: 'ok' }
  | { readonly state: 'unsafe' | 'refused'; readonly problem: string; readonly advice: string }

/** Judges a version of Node.js as `process.versions.node` has it. */
export function judgeNode(version: string): NodeState {
  const line = releases.lines[version.split('.', 1)[0] ?? '']
  if (isOlder(version, releases.oldest)) {
    return {
      state: 'refused',
      problem: `Node.js ${version} is too old`,
      advice: `Version ${releases.oldest} or newer is needed: https://nodejs.org`,
    }
  }
  if (line === undefined) return isNewerLine(version) ? { state: 'ok' } : unsupported(version)
  return isOlder(version, line.fixed) ? unfixed(version, line) : { state: 'ok' }
}

/** A line that began after this program was released. */
const isNewerLine = (version: string): boolean =>
  Object.keys(releases.lines).every((line) => Number(line) < Number.parseInt(version, 10))

function unsupported(version: string): NodeState {
  return {
    state: 'unsafe',
    problem: `Node.js ${version} belongs to a line that gets no security fixes any more`,
    advice: `Install the newest Node.js of an even line, such as ${newestFixed()}: https://nodejs.org`,
  }
}

function unfixed(version: string, { fixed, date }: NodeReleases['lines'][string]): NodeState {
  return {
    state: 'unsafe',
    problem: `Node.js ${version} lacks the security fixes of ${fixed} (${date})`,
    advice: `Install ${fixed} or newer before other machines reach this server: https://nodejs.org`,
  }
}

const newestFixed = (): string => Object.values(releases.lines).at(-1)?.fixed ?? releases.oldest

/** Compares versions without tags. */
function isOlder(version: string, other: string): boolean {
  const [left, right] = [version, other].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const index = right.findIndex((part, at) => part !== (left[at] ?? 0))
  return index >= 0 && (left[index] ?? 0) < (right[index] ?? 0)
}
