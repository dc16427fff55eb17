import { engineComplianceTests } from '@petals-chat/engine/testing'
import * as vitest from 'vitest'
import { openTestModel } from './testing/test-model.ts'

engineComplianceTests('llama', () => openTestModel(), vitest)
