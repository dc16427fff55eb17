import { fetchSwarm } from '../api/swarm.ts'
import { createSwarmStore } from '../swarm/swarm-store.ts'

/** Loaded with the swarm page only: whoever chats does not pay for it. */
export const swarmStore = createSwarmStore({ fetchSwarm, storage: localStorageOrNone() })

function localStorageOrNone(): Storage | undefined {
  try {
    return window.localStorage
  } catch {
    return undefined
  }
}
