import { expect, it } from 'vitest'
import { readJson } from '../../fixtures/test-gateway.ts'
import { createTestApp } from './fixtures/test-app.ts'

it.each(['yesterday', '2026-02-30', '2026-11-30T00:00:00Z', ''])('says what a day is for %j', async (day) => {
  await using app = createTestApp()
  const response = await app.get(`/v1/usage?from=${day}`)
  expect(response.status).toBe(400)
  expect(await readJson(response)).toMatchObject({
    error: { message: "Invalid 'from': it must be a day such as 2026-11-30.", param: 'from' },
  })
})
