import { readFileSync, writeFileSync } from 'node:fs'

/** Inputs that are kept for each target, at most. */
const maxInputs = 300
/** Longer inputs are not kept: they say little more, and the files are part of the repository. */
const maxInputBytes = 1024

const fileOf = (target: string): URL => new URL(`./corpora/${target}.json`, import.meta.url)

/** Returns the inputs that earlier runs have kept. */
export function readCorpus(target: string): readonly Uint8Array[] {
  try {
    const texts = JSON.parse(readFileSync(fileOf(target), 'utf8')) as readonly string[]
    return texts.map((text) => Buffer.from(text, 'base64'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** Adds inputs to those that are kept. Findings come first: they are the tests of what was mended. */
export function keepInputs(target: string, inputs: readonly Uint8Array[]): void {
  const kept = [...readCorpus(target), ...inputs.filter(({ byteLength }) => byteLength <= maxInputBytes)]
  if (kept.length === 0) return
  const texts = [...new Set(kept.map((input) => Buffer.from(input).toString('base64')))].slice(0, maxInputs)
  writeFileSync(fileOf(target), `${JSON.stringify(texts, null, 2)}\n`)
}
