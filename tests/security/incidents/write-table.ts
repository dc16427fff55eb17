// Writes the table of README.md from the catalogue.
import { writeFileSync } from 'node:fs'
import { incidentPage } from './catalogue.ts'

const { path, expected } = incidentPage()
writeFileSync(path, expected)
