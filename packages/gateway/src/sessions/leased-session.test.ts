import { describe, it } from 'vitest'
import { silentLogger, silentMetrics } from '@petals-chat/engine'
import { sessionWrapperTests } from '@petals-chat/engine/testing'
import { createGenerationMetrics } from './generation-metrics.ts'
import { LeasedSession } from './leased-session.ts'

sessionWrapperTests(
  'LeasedSession',
  (session) =>
    new LeasedSession(session, createGenerationMetrics(silentMetrics)('test'), silentLogger).session,
  { describe, it },
)
