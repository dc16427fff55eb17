/** Numbers of tensor types (ggml.h: enum ggml_type); only those that are used by name. */
export const ggmlTypes = {
  f32: 0,
  f16: 1,
  q5_0: 6,
  q8_0: 8,
  q4_k: 12,
  i32: 26,
  i64: 27,
  bf16: 30,
} as const
