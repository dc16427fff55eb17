/** Normalizes a vector of the hidden size. Returns a new one. */
export type Norm = (vector: Float32Array) => Float32Array

/** Creates y = w · x / sqrt(mean(x²) + ε), as LlamaRMSNorm of transformers. */
export function rmsNorm(weight: Float32Array, epsilon: number): Norm {
  return (vector) => {
    let squares = 0
    for (let i = 0; i < vector.length; i++) squares += vector[i]! * vector[i]!
    const scale = 1 / Math.sqrt(squares / vector.length + epsilon)
    return vector.map((value, i) => value * scale * weight[i]!)
  }
}

/** Creates y = w · (x - mean) / sqrt(variance + ε) + b with the biased variance, as torch.nn.LayerNorm. */
export function layerNorm(weight: Float32Array, bias: Float32Array, epsilon: number): Norm {
  return (vector) => {
    let sum = 0
    for (let i = 0; i < vector.length; i++) sum += vector[i]!
    const mean = sum / vector.length
    let squares = 0
    for (let i = 0; i < vector.length; i++) squares += (vector[i]! - mean) ** 2
    const scale = 1 / Math.sqrt(squares / vector.length + epsilon)
    return vector.map((value, i) => (value - mean) * scale * weight[i]! + bias[i]!)
  }
}
