// Known weaknesses of the locked packages. `npm run advisories` compares package-lock.json with advisories.json, without a
// network, and then asks npm, which some networks and mirrors do not answer. `npm run advisories import FOLDER` adds to
// advisories.json what a folder of advisories in the OSV format (https://ossf.github.io/osv-schema/) says of our packages,
// for example a checkout of the GitHub Advisory Database.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { format } from 'prettier'
import semver from 'semver'
import { npmCommand } from '../setup/npm-packages.mjs'
import { root } from '../setup/progress.mjs'
import { lockedPackages } from './lockfile.mjs'

const file = path.join(root, 'scripts/supply-chain/advisories.json')

/** All advisories that we know, each `{ id, package, vulnerable }` with a range of versions as npm writes it. */
export const readAdvisories = () => JSON.parse(readFileSync(file, 'utf8'))

/** The advisories that concern one of these packages, as sentences. */
export function affected(packages, advisories = readAdvisories()) {
  return packages.flatMap(({ name, version, id }) =>
    advisories
      .filter(
        (each) =>
          each.package === name && semver.satisfies(version, each.vulnerable, { includePrerelease: true }),
      )
      .map((each) => `${id} is affected by ${each.id} (versions ${each.vulnerable}).`),
  )
}

/** What an advisory in the OSV format says of these packages. Withdrawn ones and those of other registries say nothing. */
export function fromOsv(advisory, names) {
  if (advisory.withdrawn) return []
  return (advisory.affected ?? [])
    .filter((each) => each.package?.ecosystem === 'npm' && names.has(each.package.name))
    .map((each) => ({ id: advisory.id, package: each.package.name, vulnerable: rangeOf(each) }))
    .filter(({ vulnerable }) => vulnerable !== '')
}

/** Joins the ranges between `introduced` and `fixed` (or `last_affected`), and single versions. */
function rangeOf({ ranges = [], versions = [] }) {
  const spans = ranges.filter(({ type }) => type !== 'GIT').flatMap(({ events }) => spansOf(events))
  return (spans.length > 0 ? spans : versions).join(' || ')
}

function spansOf(events) {
  const spans = []
  let introduced
  for (const event of events) {
    if (event.introduced !== undefined) introduced = event.introduced
    const end = event.fixed ? `<${event.fixed}` : event.last_affected && `<=${event.last_affected}`
    if (!end) continue
    spans.push(introduced === '0' ? end : `>=${introduced} ${end}`)
    introduced = undefined
  }
  if (introduced !== undefined) spans.push(introduced === '0' ? '*' : `>=${introduced}`)
  return spans
}

/** One weakness of one package that several files describe is one entry; the newest description counts. */
export function merge(known, found) {
  const byKey = new Map([...known, ...found].map((each) => [`${each.package} ${each.id}`, each]))
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each)
}

async function importFrom(folder) {
  const names = new Set(lockedPackages().map(({ name }) => name))
  const found = globSync('**/*.json', { cwd: folder }).flatMap((name) => {
    try {
      return fromOsv(JSON.parse(readFileSync(path.join(folder, name), 'utf8')), names)
    } catch {
      return []
    }
  })
  const all = merge(readAdvisories(), found)
  writeFileSync(file, await format(JSON.stringify(all), { parser: 'json', printWidth: 120 }))
  console.log(`${found.length} entries about our packages were read, ${all.length} are known now.`)
}

/** npm's own audit, as far as the registry offers one. Weaknesses of development packages are reported by the first half. */
function askNpm() {
  const npm = npmCommand()
  const { stdout } = spawnSync(npm.command, [...npm.args, 'audit', '--omit=dev', '--json'], {
    cwd: root,
    encoding: 'utf8',
  })
  const report = stdout.startsWith('{') ? JSON.parse(stdout) : {}
  if (report.metadata === undefined)
    return console.log('The registry offers no audit: only advisories.json was used.')
  const names = Object.values(report.vulnerabilities).map(({ name, severity }) => `${name} (${severity})`)
  for (const name of names) console.error(`npm reports ${name}.`)
  if (names.length > 0) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [command, folder] = process.argv.slice(2)
  if (command === 'import' && folder) await importFrom(folder)
  for (const sentence of affected(lockedPackages())) {
    console.error(sentence)
    process.exitCode = 1
  }
  if (command !== 'import') askNpm()
}
