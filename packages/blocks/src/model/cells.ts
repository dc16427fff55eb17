/** Runs of cells in the KV cache are multiples of it, so that the lengths that graphs read seldom change. */
export const cellStep = 32

/** Returns the cells that a sequence of this length takes in each block. */
export const cellsOf = (maxLength: number): number => Math.max(1, Math.ceil(maxLength / cellStep)) * cellStep
