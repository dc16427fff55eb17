import { createStoredValue, type StoredValue, type StoredValueOptions } from './stored-value.ts'

type Where = Pick<StoredValueOptions<never>, 'storage' | 'events'>

/** Stores the ids of the models whose notice about the swarm the reader has confirmed. */
export const createSwarmNotices = (
  storage: Where['storage'],
  events: Where['events'],
): StoredValue<readonly string[]> =>
  createStoredValue({ storage, events, key: 'petals-chat.swarm-notices', parse })

const parse = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((id): id is string => typeof id === 'string') : []
