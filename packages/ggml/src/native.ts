/**
 * The functions of ggml, and devices, tensors and graphs on top of them. Importing this loads native code.
 *
 * @packageDocumentation
 */
export { Backend, DeviceTensors, newContext, type TensorSpec } from './backend.ts'
export { deviceType, openGgml, ropeMode, type Ggml, type Pointer, type Tensor } from './bindings.ts'
