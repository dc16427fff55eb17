import { formatBytes, sizeOf } from './disk.mjs'

/** Between two looks at the folders, in milliseconds: an environment has tens of thousands of files. */
const lookMs = 2000

/** `torch-2.3.1-cp311-…whl.metadata` → `torch`. */
const packageOf = (file) => /^(.+?)-\d/.exec(file)?.[1] ?? file

/**
 * What pip is doing, for the line of progress. Its own bar is for terminals, and says nothing while it unpacks: so the
 * package comes from what it prints, the amounts from the growth of the folders that it fills.
 * `downloads` is its temporary folder, `environment` where packages are installed.
 */
export function watchPip({ downloads, environment, expectedBytes }) {
  let doing = 'asking for versions'
  let installing = false
  let bytes = 0
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    bytes = await sizeOf(installing ? environment : downloads)
    looking = false
  }
  const timer = setInterval(() => void look(), lookMs)
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
    else if (verb === 'Collecting') doing = `looking for ${name.replace(/[^\w.-].*/, '')}`
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
