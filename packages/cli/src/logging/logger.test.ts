import { describe, expect, it } from 'vitest'
import { recordingTerminal } from '../testing/recording-terminal.ts'
import type { LogConfig } from './config.ts'
import { createLogger, formatRecord } from './logger.ts'

async function log(config: Partial<LogConfig>, isTTY: boolean, secrets: readonly string[] = []) {
  const recorded = recordingTerminal({ isTTY })
  const logger = await createLogger({ level: 'info', format: 'auto', ...config }, recorded.terminal, {
    secrets,
  })
  return { logger, ...recorded }
}

describe('createLogger', () => {
  it('writes JSON to stderr if it is not a terminal', async () => {
    const { logger, stderr, stdout } = await log({}, false)
    logger.child({ model: 'm' }).info({ tokens: 3 }, 'done')
    expect(stdout()).toBe('')
    expect(JSON.parse(stderr())).toEqual({
      level: 'info',
      time: expect.any(String) as string,
      model: 'm',
      tokens: 3,
      msg: 'done',
    })
  })

  it('writes readable lines on a terminal, and errors without a stack', async () => {
    const { logger, stderr } = await log({}, true)
    logger.error({ err: new Error('the reason', { cause: new Error('its cause') }) }, 'it failed')
    expect(stderr()).toContain('it failed')
    expect(stderr()).toContain('the reason (its cause)')
    expect(stderr()).not.toMatch(/\n\s+at /)
    const again = await log({}, true)
    again.logger.error(
      { err: new Error('no file: ENOENT', { cause: new Error('ENOENT') }) },
      'no file: ENOENT',
    )
    expect(again.stderr()).toMatch(/ERROR: no file: ENOENT\n$/)
  })

  it('keeps the stack in JSON and at debug', async () => {
    for (const [config, isTTY] of [
      [{}, false],
      [{ level: 'debug' }, true],
    ] as const) {
      const { logger, stderr } = await log(config, isTTY)
      logger.error({ err: new Error('the reason') }, 'it failed')
      expect(stderr()).toMatch(/at .*logger\.test/)
    }
  })

  it.each([true, false])(
    'lets no client control a terminal or forge a line (terminal: %s)',
    async (isTTY) => {
      const { logger, stderr } = await log({}, isTTY)
      const attack = '/a\u001b[2J\u009b31m\u202e\u2028\r\n12:00:00 INFO: all is well\u0007'
      logger.info({ method: 'GET', path: attack, status: 404, ms: 1 }, 'request')
      logger.warn({}, `model ${attack} is not here`)
      // pino-pretty's own colours are off in this test.
      expect(stderr()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/)
      expect(stderr()).toContain('\\u001b[2J')
      expect(
        stderr()
          .split('\n')
          .filter((line) => line.startsWith('12:00:00 INFO')),
      ).toEqual([])
      if (!isTTY) expect(JSON.parse(stderr().split('\n')[0]!)).toMatchObject({ path: attack })
    },
  )

  it('respects its level', async () => {
    const { logger, stderr } = await log({ level: 'warn' }, false)
    logger.info({}, 'no')
    logger.warn({}, 'yes')
    expect(stderr()).not.toContain('"no"')
    expect(stderr()).toContain('"yes"')
    const silent = await log({ level: 'silent' }, false)
    silent.logger.error({}, 'no')
    expect(silent.stderr()).toBe('')
  })

  it('removes secrets, wherever they are', async () => {
    const { logger, stderr } = await log({}, false, ['my-own-secret'])
    const fields = {
      token: 'canary-1',
      config: { token: 'canary-2', apiKey: 'canary-3' },
      request: { headers: { authorization: 'Bearer canary-4', cookie: 'canary-5' } },
      url: 'https://x.example/?key=my-own-secret',
    }
    logger.info(fields, 'with hf_canary678901 and sk-canary78901234 and Bearer canary-89012')
    logger.error({ err: new Error('my-own-secret') }, 'failed')
    expect(stderr()).not.toMatch(/canary|my-own-secret/)
    expect(
      stderr()
        .split('\n')
        .filter(Boolean)
        .every((line) => JSON.parse(line) !== null),
    ).toBe(true)
  })
})

describe('a line for people', () => {
  it('is the sentence with the important fields', () => {
    const request = { msg: 'request', method: 'GET', path: '/v1/models', status: 200, ms: 3, requestId: 'x' }
    expect(formatRecord(request)).toBe('GET /v1/models: 200, 3 ms')
    expect(formatRecord({ ...request, aborted: true })).toBe(
      'GET /v1/models: 200, 3 ms, the client disconnected',
    )
    expect(formatRecord({ msg: 'it failed', err: 'the reason' })).toBe('it failed: the reason')
    expect(formatRecord({ msg: 'the reason', err: 'the reason' })).toBe('the reason')
    expect(formatRecord({ msg: 'the reason', err: 'the reason (its cause)' })).toBe('the reason (its cause)')
    expect(formatRecord({ msg: 'ready', tokens: 3 })).toBe('ready')
    expect(formatRecord({ msg: 'route found', route: '0:6 via …abc' })).toBe('route found: 0:6 via …abc')
  })

  it('holds everything at debug', async () => {
    const { logger, stderr } = await log({ level: 'debug' }, true)
    logger.debug({ tokens: 3 }, 'a step')
    expect(stderr()).toMatch(/a step.*"tokens":3/)
    const usual = await log({}, true)
    usual.logger.info({ tokens: 3 }, 'a step')
    usual.logger.info({}, 'another')
    expect(usual.stderr()).toMatch(/^\[.*\] INFO: a step\n\[.*\] INFO: another\n$/)
  })
})
