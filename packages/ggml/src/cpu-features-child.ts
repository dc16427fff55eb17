// Prints which sets of instructions the CPU kernels use that llama.cpp chooses from a folder.
import { writeSync } from 'node:fs'
import process from 'node:process'
import { Backend, openGgml } from './native.ts'

const [, , folder] = process.argv
const ggml = openGgml(folder!)
const backend = new Backend(ggml, 'cpu')
writeSync(process.stdout.fd, JSON.stringify(ggml.cpuFeatures(backend.handle)))
