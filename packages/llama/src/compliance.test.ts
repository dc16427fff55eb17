import { afterAll, beforeAll, describe, it } from 'vitest'
import { engineComplianceTests } from '@petals-chat/engine/testing'
import { openTestModel } from './testing/test-model.ts'

engineComplianceTests('llama', () => openTestModel(), { describe, it, beforeAll, afterAll })
