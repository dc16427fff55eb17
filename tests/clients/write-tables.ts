// Writes the tables of docs/clients.md from the registry of clients (npm run clients).
import { writeFile } from 'node:fs/promises'
import { clientsPage } from './tables.ts'

const { page, made } = await clientsPage()
await writeFile(page, made)
