import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { catalogue, incidentPage } from './catalogue.ts'

const folder = new URL('./', import.meta.url)

/** The rows of a table, whatever space a formatter puts into its cells. */
const rowsOf = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.replaceAll(/ *\| */g, '|').replaceAll(/\|-+(?=\|)/g, '|-'))

describe('the catalogue', () => {
  it('has 100 incidents at least, each with one case', () => {
    const ids = Object.values(catalogue).flatMap((incidents) => Object.keys(incidents))
    expect(ids.length).toBeGreaterThanOrEqual(100)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each(Object.entries(catalogue))('has all cases of %s', (file, incidents) => {
    const source = readFileSync(new URL(`${file}.test.ts`, folder), 'utf8')
    const cases = [...source.matchAll(/\bincident\(\s*'([^']+)'/g)].map(([, id]) => id)
    expect(cases.toSorted()).toEqual(Object.keys(incidents).toSorted())
  })

  it('has every file of incidents', () => {
    const files = readdirSync(folder).flatMap((name) => /^(.*)\.incidents\.ts$/.exec(name)?.[1] ?? [])
    expect(Object.keys(catalogue).toSorted()).toEqual(files.toSorted())
  })

  it('is the table of README.md (node tests/security/incidents/write-table.ts)', () => {
    const { text, expected } = incidentPage()
    expect(rowsOf(text)).toEqual(rowsOf(expected))
  })
})
