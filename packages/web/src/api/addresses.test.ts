import { describe, expect, it } from 'vitest'

/** A proxy may serve the page below any path: an address that begins with a slash would miss it. */
describe('addresses of the server are relative', () => {
  const sources = import.meta.glob<string>(
    ['../**/*.ts', '../**/*.tsx', '../../index.html', '../../public/*.webmanifest', '!../**/*.test.ts'],
    { query: '?raw', import: 'default', eager: true },
  )

  it.each(Object.entries(sources))('in %s', (path, source) => {
    // Vite makes these relative when it builds.
    const own = path.endsWith('index.html')
      ? source.replaceAll(/(?:href|src)="\/[\w.-]+(?:\/[\w.-]+)*"/g, '')
      : source
    expect(own).not.toMatch(/[`'"]\/(?:v1|api|assets|openapi|sw\.js|icon)/)
    expect(own).not.toMatch(/<a[^>]*href="\//)
  })
})
