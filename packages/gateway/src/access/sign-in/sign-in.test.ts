import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { Access, type CallerRequest } from '../access.ts'
import { guestCaller } from '../caller.ts'
import { AccessRevokedError } from '../../errors.ts'
import { TestCallers } from '../../fixtures/test-callers.ts'
import { eventually } from '../../fixtures/test-gateway.ts'
import { signInSchema } from './config.ts'
import { MemoryPageSessions } from './memory-page-sessions.ts'
import { SignIn } from './sign-in.ts'

const openid = { issuer: 'https://login.example.org', clientId: 'a', users: ['ada@example.org'] }
const user = {
  issuer: openid.issuer,
  subject: 'ada',
  name: 'Ada',
  email: 'ada@example.org',
  emailVerified: true,
  groups: [],
}

/** Gateways with one store, as several processes have. */
function gateways(...configs: readonly object[]): readonly SignIn[] {
  const store = new MemoryPageSessions()
  const keys = new TestCallers().add('one')
  return configs.map(
    (config) =>
      new SignIn({
        config: signInSchema.parse(config),
        store,
        keys,
        isTrustedProxy: () => false,
        logger: silentLogger,
      }),
  )
}

const withCookie = (token: string) => ({
  header: (name: string) => (name === 'cookie' ? `petals_chat_session=${token}` : undefined),
})

describe('a sign-in', () => {
  it('holds at every gateway with the same store and the same list of users', () => {
    const [first, second, changed, without] = gateways(
      { openid },
      { openid: { ...openid, name: 'Lab' } },
      { openid: { ...openid, users: ['bob@example.org'] } },
      {},
    )
    const { token } = first!.withUser(user)
    expect(second!.find(withCookie(token))?.caller.name).toBe('Ada')
    expect(changed!.find(withCookie(token))).toBeUndefined()
    expect(without!.find(withCookie(token))).toBeUndefined()
  })

  it('of a page of this server is a credential, and its cookie from another page is none at all', () => {
    const [gateway] = gateways({})
    const { token } = gateway!.withKey({ ...guestCaller, id: 'key:one', name: 'one' })
    const { header: cookie } = withCookie(token)
    const access = new Access(gateway!.sources)
    const from = (origin: string): CallerRequest => ({
      header: (name) => ({ host: 'chat.example', origin })[name] ?? cookie(name),
      client: { address: '127.0.0.1', network: '127.0.0.1', secure: true },
      remoteAddress: '127.0.0.1',
    })
    expect(access.authorizeIfPresent(from('https://chat.example'), 'legacy')?.id).toBe('key:one')
    expect(access.authorizeIfPresent(from('https://other.example'), 'legacy')).toBeUndefined()
    gateway!.end(`petals_chat_session=${token}`)
    expect(() => access.authorizeIfPresent(from('https://chat.example'), 'legacy')).toThrow('API key')
  })

  it('ends within a second at a gateway that did not sign it out', async () => {
    const [first, second] = gateways({}, {})
    const { token } = first!.withKey({ ...guestCaller, id: 'key:one', name: 'one' })
    const { signal } = second!.find(withCookie(token))!.caller
    first!.end(`petals_chat_session=${token}`)
    expect(first!.find(withCookie(token))).toBeUndefined()
    await Promise.race([eventually(() => signal.aborted), sleep(1_000)])
    expect(signal.reason).toBeInstanceOf(AccessRevokedError)
    for (const gateway of [first!, second!]) gateway[Symbol.dispose]()
  })

  it('of a user at one issuer is not that of the same subject at another', () => {
    const [gateway] = gateways({ openid })
    const ids = ['https://a.example.org', 'https://b.example.org'].map(
      (issuer) => gateway!.withUser({ ...user, issuer }).session.callerId,
    )
    expect(new Set(ids).size).toBe(2)
  })
})
