import type { Incidents } from '../support/incident.ts'

/** Packages that were not what their name says, and packages that this program does without. */
export const supplyIncidents = {
  'LiteLLM 1.82.7': {
    product: 'LiteLLM 1.82.7 and 1.82.8 (PyPI)',
    dated: '2026',
    happened:
      'A stolen token published two releases with a backdoor, which new installations took for five hours.',
    holds: 'pins every dependency exactly, those of the Python environments for tests too',
  },
  'axios 1.14.1': {
    product: 'axios 1.14.1 and 0.30.4 (npm)',
    dated: '2026',
    happened: 'A release with a new dependency ran a script when it was installed.',
    holds: 'runs no script of a package at its installation',
  },
  'Shai-Hulud': {
    product: 'npm packages of many maintainers',
    dated: '2025',
    happened:
      'A worm took tokens from machines that installed a package, and published itself under their names.',
    holds: 'installs from the lockfile, whose packages have hashes, and publishes with provenance only',
  },
  'CVE-2026-44291': {
    product: 'protobufjs',
    dated: '2026',
    happened: 'A schema became code in which names of the schema were executed.',
    holds: 'decodes protobuf by code of its own: no package of the product compiles schemas',
  },
  'CVE-2024-29415': {
    product: 'ip (npm)',
    dated: '2024',
    happened: 'Addresses such as 127.1 and 012.1.2.3 were taken for public ones.',
    holds: 'judges addresses by net.BlockList of Node, and has no such package',
  },
} as const satisfies Incidents
