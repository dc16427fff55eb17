import { expect, it } from 'vitest'
import { languages } from '../../i18n/languages.ts'
import { failoverWords } from './swarm-words.ts'

const failover = {
  peer: 'QmA',
  publicName: 'cellar',
  start: 0,
  end: 4,
  reason: 'reset',
  pauseMs: 400,
  replacedBy: [{ peer: 'QmB', publicName: 'attic' }],
}
const precision = { before: 'F32', after: 'Q8_0', position: 129 }

it('a change of servers says from where on the answer is computed otherwise', async () => {
  const [en, de] = await Promise.all([languages.en.load(), languages.de.load()])
  expect(failoverWords(en, failover)).toBe('Server cellar left; continued with attic after 0.4 s.')
  expect(failoverWords(en, { ...failover, precision })).toBe(
    'Server cellar left; continued with attic after 0.4 s. From token 130 of the chat on, a server computes in Q8_0 instead of F32: the words may be others than they would have been.',
  )
  expect(failoverWords(de, { ...failover, precision })).toContain('Ab Token 130 des Chats rechnet ein Server')
})
