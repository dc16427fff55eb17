/** Whether the outputs of a further opinion agree with those that were used, and with those of the first witness. */
export interface Opinion {
  readonly withUsed: boolean
  readonly withWitness: boolean
}

/** Each is undefined if it was not asked for, or not given. */
export interface Opinions {
  /** Of servers that have not been asked before. */
  readonly third?: Opinion | undefined
  /** Of the server whose outputs were used, asked again. */
  readonly again?: Opinion | undefined
  /** Of the witness, asked again. */
  readonly witnessAgain?: Opinion | undefined
}

/** Who computes something else than the blocks. `unknown`: one of both, and there is no sign which. */
export type Guilty = 'accused' | 'witness' | 'unknown'

/**
 * Decides a dispute between a server and a witness. The word of one server is never enough: two others must agree against
 * it, or it must contradict what it computed from the same inputs before.
 */
export function decide({ third, again, witnessAgain }: Opinions): Guilty {
  if (third && third.withWitness !== third.withUsed) return third.withWitness ? 'accused' : 'witness'
  if (again && !again.withUsed) return 'accused'
  if (witnessAgain && !witnessAgain.withWitness) return 'witness'
  return 'unknown'
}
