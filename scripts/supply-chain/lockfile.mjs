// package-lock.json as the checks of the supply chain read it.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from '../setup/progress.mjs'

const readJson = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8'))

/** What we allow: see docs/decisions/2026-11-28-supply-chain.md. */
export const policy = readJson('scripts/supply-chain/policy.json')

/**
 * The packages of other authors in a lockfile, each `{ name, version, id, integrity, license, dev, optional, … }` with the
 * `id` `name@version`.
 */
export function lockedPackages(lock = readJson('package-lock.json')) {
  return Object.entries(lock.packages)
    .filter(([place, entry]) => place.includes('node_modules/') && !entry.link)
    .map(([place, entry]) => {
      const name = entry.name ?? place.split('node_modules/').at(-1)
      return { ...entry, place, name, id: `${name}@${entry.version}` }
    })
}

/** Those that an installation of the product has. */
export const productPackages = (lock) =>
  lockedPackages(lock).filter((entry) => !entry.dev && !/^node-(bin-)?(linux|darwin|win)-/.test(entry.name))

/**
 * What of a lockfile the policy does not allow, as sentences: packages without a hash, with an install script, or with an
 * unknown licence.
 */
export function violations(packages, allowed = policy) {
  return packages.flatMap((entry) => [
    ...(isHashed(entry) || allowed.withoutIntegrity.includes(entry.id)
      ? []
      : [`${entry.id} has no sha512 hash in package-lock.json.`]),
    ...(!entry.hasInstallScript || Object.hasOwn(allowed.installScripts, entry.name)
      ? []
      : [`${entry.id} has an install script that is not listed in policy.json.`]),
    ...(isLicensed(entry.license, allowed.licences)
      ? []
      : [`${entry.id} has the licence '${entry.license}', which policy.json does not allow.`]),
  ])
}

const isHashed = ({ integrity }) => /^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '')

/** One licence of an SPDX `OR` is enough; all of an `AND` are needed. */
function isLicensed(expression, licences) {
  const bare = (expression ?? '').replace(/^\((.*)\)$/, '$1')
  return bare.split(' OR ').some((each) => each.split(' AND ').every((name) => licences.includes(name)))
}
