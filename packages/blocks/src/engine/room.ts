import type { AbortOptions } from '@petals-chat/engine'

export interface RoomRequest extends AbortOptions {
  /** Blocks [from, to), counted from the first loaded one. */
  readonly from: number
  readonly to: number
  /** Cells in each of the blocks. */
  readonly cells: number
  readonly timeoutMs: number
  /** Whom the room counts for: when there is too little, owners of one origin get equal shares. */
  readonly owner: string
  /** Where the owner comes from: when there is too little, origins get equal shares. */
  readonly origin: string
  /** Called when another owner needs the room more; `release` must follow soon. */
  readonly onReclaim: () => void
}

/** Room in the KV cache; releasing it twice does nothing. */
export interface Room {
  /** Notes that a step begins, until the returned function is called: room that is in use is given to others last. */
  use(): () => void
  release(): void
}

/** Room that an owner has. */
export interface HeldRoom {
  readonly request: RoomRequest
  /** Steps that run now. */
  steps: number
  /** When the last one ended, or the room was given; `performance.now()`. */
  usedAt: number
  isReclaimed: boolean
}

/** Cells of all its blocks. */
export const sizeOf = ({ from, to, cells }: Pick<RoomRequest, 'from' | 'to' | 'cells'>): number =>
  cells * (to - from)
