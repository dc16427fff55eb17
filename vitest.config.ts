import { defineConfig } from 'vitest/config'
import { AlternatingSequencer } from './tests/support/alternating-sequencer.ts'

const conditions = ['petals-chat-source']
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions } },
}

/** The tests of one kind. Real servers, models and browsers are slow on two cores: the timeouts only catch hangs. */
const project = (name: string, include: string[], testTimeout: number, groupOrder: number) => ({
  ...shared,
  test: {
    name,
    include,
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout,
    hookTimeout: Math.max(testTimeout, 120_000),
    sequence: { groupOrder },
    // Vitest's own second is less than a busy machine takes to draw a page, or to start a server.
    expect: { poll: { timeout: 60_000 } },
    setupFiles: ['tests/support/end-with-vitest.ts', 'tests/support/patient-waits.ts'],
    execArgv: conditions.map((condition) => `--conditions=${condition}`),
  },
})

/** Attacks on one started server, which all files share. */
const security = project('security', ['tests/security/**/*.test.ts'], 120_000, 0)

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        [
          'packages/*/src/**/*.test.{ts,tsx}',
          'scripts/**/*.test.ts',
          'swarm/*.test.ts',
          'tests/fuzz/*.test.ts',
          'tests/clients/*.test.ts',
          'bench/**/*.test.ts',
        ],
        120_000,
        0,
      ),
      project('interop', ['tests/interop/**/*.test.ts'], 600_000, 1),
      project('e2e', ['tests/e2e/**/*.test.ts'], 240_000, 1),
      {
        ...security,
        test: { ...security.test, globalSetup: ['tests/security/support/server.setup.ts'] },
      },
    ],
    maxWorkers: 2,
    sequence: { sequencer: AlternatingSequencer },
  },
})
