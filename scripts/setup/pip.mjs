import { formatBytes, sizeOf } from './disk.mjs'

/** The interval between two measurements of the folders, in milliseconds: an environment has tens of thousands of files. */
const intervalMs = 2000

/** `torch-2.3.1-cp311-…whl.metadata` → `torch`. */
const packageOf = (file) => /^(.+?)-\d/.exec(file)?.[1] ?? file

/**
 * Describes the progress of pip in a line. pip's own progress bar is for terminals, and shows nothing while it unpacks. So the
 * package is taken from pip's output, and the amounts from the growth of the folders that it fills: `downloads` is its
 * temporary folder, and packages are installed in `environment`.
 */
export function watchPip({ downloads, environment, expectedBytes }) {
  let doing = 'resolving versions'
  let installing = false
  let bytes = 0
  let measuring = false
  const measure = async () => {
    if (measuring) return
    measuring = true
    bytes = await sizeOf(installing ? environment : downloads)
    measuring = false
  }
  const timer = setInterval(() => void measure(), intervalMs)
  const onLine = (line) => {
    const [, verb, name] =
      /^\s*(Collecting|Downloading|Using cached|Building wheel for|Preparing metadata)\s+(\S*)/.exec(line) ??
      []
    if (/^Installing collected packages/.test(line)) {
      installing = true
      bytes = 0
      doing = 'unpacking packages'
    } else if (verb === 'Downloading' && !name.endsWith('.metadata')) {
      const size = /\(([\d.]+ [kMG]?B)\)/.exec(line)?.[1]
      doing = `downloading ${packageOf(name.split('/').at(-1))}${size ? ` (${size})` : ''}`
    } else if (verb === 'Building wheel for') doing = `building ${name}`
    else if (verb === 'Collecting') doing = `resolving ${name.replace(/[^\w.-].*/, '')}`
  }
  return {
    onOutput: (text) => text.split('\n').forEach(onLine),
    detail: () => {
      const amount = installing
        ? `${formatBytes(bytes)} of about ${formatBytes(expectedBytes)} on the disk`
        : `${formatBytes(bytes)} downloaded`
      return `${doing}, ${amount},`
    },
    stop: () => clearInterval(timer),
  }
}
