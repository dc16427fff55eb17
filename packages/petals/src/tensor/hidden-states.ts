/** What flows between blocks: one vector per token, in C order. */
export interface HiddenStates {
  readonly shape: readonly [tokens: number, hiddenSize: number]
  readonly data: Float32Array
}
