import assert from 'node:assert/strict'
import type { InferenceSession } from '../inference/inference-session.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { FakeSwarm } from './fake-swarm.ts'

export const promptLength = 40
export const decodeSteps = 12

/** Returns the inputs of a dialogue: a prompt, then one token in each step. */
export const dialogueOf = (
  swarm: FakeSwarm,
  prompt = promptLength,
  steps = decodeSteps,
): readonly HiddenStates[] => [
  swarm.inputs(prompt, 1),
  ...Array.from({ length: steps }, (_, i) => swarm.inputs(1, i + 2)),
]

/** Runs these inputs one after the other and returns all outputs. */
export async function runInputs(
  session: InferenceSession,
  inputs: readonly HiddenStates[],
  beforeStep?: (index: number) => void,
): Promise<Float32Array> {
  const outputs: number[] = []
  for (const [index, input] of inputs.entries()) {
    beforeStep?.(index)
    outputs.push(...(await session.step(input)).data)
  }
  return Float32Array.from(outputs)
}

/** Runs these inputs. The outputs must be those of an undisturbed run, bit by bit. */
export async function expectIdentical(
  swarm: FakeSwarm,
  session: InferenceSession,
  inputs: readonly HiddenStates[] = dialogueOf(swarm),
  beforeStep?: (index: number) => void,
): Promise<void> {
  assert.deepEqual(await runInputs(session, inputs, beforeStep), swarm.expected(...inputs))
}
