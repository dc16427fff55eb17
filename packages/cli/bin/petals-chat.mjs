#!/usr/bin/env node
// This file uses only old syntax: an outdated Node must be able to run it, to report that it is too old.
var version = process.versions.node.split('.').map(Number)
if (version[0] < 22 || (version[0] === 22 && version[1] < 12)) {
  console.error(
    'petals-chat needs Node.js 22.12 or newer; this is ' +
      process.version +
      ' (' +
      process.execPath +
      ').\n' +
      'Install a newer one from https://nodejs.org, or run "npm start" in a clone: it brings its own.',
  )
  process.exit(2)
}

/** When a file beside this one was changed; 0 if it is not there. */
function changedAt(fs, file) {
  var stats = fs.statSync(new URL(file, import.meta.url), { throwIfNoEntry: false })
  return stats ? stats.mtimeMs : 0
}

/**
 * The bundle starts in half the time. In a clone the packages may have been compiled again since it was made. (The file that
 * TypeScript leaves with them is not published.)
 */
function isBundleFresh(fs) {
  var bundledAt = changedAt(fs, '../bundle/bin.js')
  if (bundledAt === 0 || changedAt(fs, '../dist/.tsbuildinfo') === 0) return bundledAt > 0
  var packages = fs.readdirSync(new URL('../../', import.meta.url))
  return packages.every(function (name) {
    return changedAt(fs, '../../' + name + '/dist/.tsbuildinfo') <= bundledAt
  })
}

Promise.all([import('node:module'), import('node:fs')])
  .then(function (modules) {
    // The compile cache is kept between runs, so the command starts in about half the time.
    if (modules[0].enableCompileCache) modules[0].enableCompileCache()
    return isBundleFresh(modules[1]) ? import('../bundle/bin.js') : import('../dist/bin.js')
  })
  .catch(function (error) {
    var isUnbuilt = error && error.code === 'ERR_MODULE_NOT_FOUND' && /dist[\\/]/.test(String(error.message))
    console.error(
      isUnbuilt
        ? 'petals-chat is not built yet. Run: npm run build'
        : "petals-chat can't start, its installation is damaged (run npm ci): " + (error && error.message),
    )
    process.exit(1)
  })
