import type { Valkey } from 'iovalkey'
import type { ToldTotal } from './known-windows.ts'
import type { CountedWindow } from './window-counters.ts'

/** Windows of several gateways, in a Valkey or Redis server. */
export interface WindowStore {
  /** Tells what one gateway has counted in a window, all in all. Telling it twice counts it once. */
  tell(told: ToldTotal): Promise<CountedWindow>
  /** Resolves to undefined if no window is open for the key. */
  peek(key: string): Promise<CountedWindow | undefined>
}

/**
 * A window is a hash with a field for each teller: what it has counted, its total when the field was made, and the number of
 * its last message. A window that ends takes its fields with it: of what a teller goes on with, it counts what is new.
 */
const SUM = `
  local sum = 0
  for _, value in ipairs(redis.call('HVALS', KEYS[1])) do sum = sum + tonumber(string.match(value, '^[^|]*')) end
  return {sum, redis.call('PTTL', KEYS[1])}`

const TELL = `
  local teller, total, told, number, ms = unpack(ARGV)
  local known = redis.call('HGET', KEYS[1], teller)
  local base, last = told, -1
  if known then base, last = string.match(known, '^[^|]*|([^|]*)|(.*)$') end
  if tonumber(number) > tonumber(last) then
    redis.call('HSET', KEYS[1], teller, string.format('%.0f|%s|%s', total - base, base, number))
  end
  if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ms) end
  ${SUM}`

type Answer = readonly [sum: number, ms: number]

/** `keyPrefix` of the client: nothing else may be there, and the names of the keys are not those of older versions. */
export function windowStore(client: Valkey): WindowStore {
  client.defineCommand('tellWindow', { numberOfKeys: 1, lua: TELL })
  client.defineCommand('peekWindow', { numberOfKeys: 1, lua: SUM })
  const scripts = client as unknown as {
    tellWindow(key: string, ...told: readonly (string | number)[]): Promise<Answer>
    peekWindow(key: string): Promise<Answer>
  }
  return {
    tell: async ({ key, teller, total, told, number, seconds }) =>
      windowOf(await scripts.tellWindow(nameOf(key), teller, total, told, number, seconds * 1000)),
    async peek(key) {
      const answer = await scripts.peekWindow(nameOf(key))
      return answer[1] <= 0 ? undefined : windowOf(answer)
    },
  }
}

const nameOf = (key: string): string => `window:${key}`

const windowOf = ([used, ms]: Answer): CountedWindow => ({ used, resetMs: Math.max(ms, 0) })
