/** The inputs and outputs of blocks: one vector per token, in C order (last axis fastest), batch 1. */
export interface HiddenStates {
  readonly shape: readonly [tokens: number, hiddenSize: number]
  /** tokens × hiddenSize values. */
  readonly data: Float32Array
}
