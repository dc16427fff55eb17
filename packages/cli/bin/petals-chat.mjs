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

import('node:module')
  .then(function (module) {
    // The compile cache is kept between runs, so the command starts in about half the time.
    if (module.enableCompileCache) module.enableCompileCache()
    return import('../dist/bin.js')
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
