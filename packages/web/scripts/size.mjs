// Checks the build against its budget: the bytes that are loaded before the first message, as the gateway sends them.
// Run it after `npm run build -w packages/web`. It exits with code 1 if the build exceeds the budget.
import { existsSync, readFileSync, statSync } from 'node:fs'

const BUDGET_BYTES = 200_000

const dist = new URL('../dist/', import.meta.url)
const read = (path) => readFileSync(new URL(path, dist))
const manifest = JSON.parse(read('.vite/manifest.json'))

/** Returns the entry and its static imports: the files that the browser fetches before it runs anything. */
function firstLoad() {
  const files = new Set(['index.html', 'early.js', 'icon.svg', 'manifest.webmanifest'])
  const visit = ({ file, css = [], imports = [] }) => {
    if (files.has(file)) return
    files.add(file)
    for (const style of css) files.add(style)
    for (const key of imports) visit(manifest[key])
  }
  for (const chunk of Object.values(manifest)) if (chunk.isEntry) visit(chunk)
  return [...files]
}

/** Returns the compressed size of a file; a tiny file may have no compressed copy. */
function sentBytes(file, ending) {
  const compressed = new URL(`${file}${ending}`, dist)
  return statSync(existsSync(compressed) ? compressed : new URL(file, dist)).size
}

// Browsers accept Brotli on https and localhost; over plain http from elsewhere they use gzip.
for (const [coding, ending] of Object.entries({ Brotli: '.br', gzip: '.gz' })) {
  const sizes = firstLoad().map((file) => ({ file, bytes: sentBytes(file, ending) }))
  for (const { file, bytes } of sizes.toSorted((a, b) => b.bytes - a.bytes))
    console.log(`${(bytes / 1000).toFixed(1).padStart(8)} kB  ${file}`)
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
  console.log(
    `${(total / 1000).toFixed(1).padStart(8)} kB  in all (${coding}), budget ${BUDGET_BYTES / 1000} kB\n`,
  )
  if (total <= BUDGET_BYTES) continue
  console.error('The first load is over its budget: load something of it later, or find something smaller.')
  process.exitCode = 1
}
