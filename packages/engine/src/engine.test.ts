import { describe, expectTypeOf, it } from 'vitest'
import type { Engine, GenerateOptions, Model, Session } from './engine.ts'
import type { ServedModel } from './remote-model.ts'
import type { ModelRegistry, ModelState } from './models/model-registry.ts'
import type { ModelSource } from './models/model-source.ts'
import type { ModelSpec, ModelSpecInput } from './models/model-spec.ts'
import { loadableModel, type LoadableModel } from './models/loadable-model.ts'

/** Entries of an engine with a key of its own. */
type TapeSpec = ModelSpec & { readonly engine: 'tape'; readonly reel: number }

/** The compiler (`npm run check:types`) runs these tests: each holds if the file has no type error. */
describe('the types of the engine contract', () => {
  it('let an engine load only its own entries', () => {
    const load = (tape: Engine<TapeSpec>, any: Engine, spec: TapeSpec, other: ModelSpec) => {
      expectTypeOf(loadableModel(spec, tape)).toEqualTypeOf<LoadableModel>()
      expectTypeOf(loadableModel(spec, any)).toEqualTypeOf<LoadableModel>()
      // @ts-expect-error the entry lacks `reel`, and its engine may be another one
      void tape.load(other)
      // @ts-expect-error the same for the registry
      void loadableModel(other, tape)
    }
    expectTypeOf(load).toBeFunction()
    expectTypeOf<Engine>().toExtend<Engine<TapeSpec>>()
    expectTypeOf<Engine<TapeSpec>>().not.toExtend<Engine>()
  })

  it('have the source as a parsed value, which is text in the input', () => {
    expectTypeOf<ModelSpec['source']>().toEqualTypeOf<ModelSource | undefined>()
    expectTypeOf<ModelSpecInput['source']>().toEqualTypeOf<string>()
  })

  it('require sampling of a generation, and leave the rest optional', () => {
    expectTypeOf<{ sampling: GenerateOptions['sampling'] }>().toExtend<GenerateOptions>()
    expectTypeOf<object>().not.toExtend<GenerateOptions>()
    expectTypeOf<Session['prewarm']>().extract<undefined>().toEqualTypeOf<undefined>()
  })

  it('distinguish a loaded model from one that may not be loaded', () => {
    expectTypeOf<ModelRegistry['get']>().returns.resolves.toEqualTypeOf<Model>()
    expectTypeOf<ModelRegistry['peek']>().returns.toEqualTypeOf<ServedModel | undefined>()
    expectTypeOf<ModelRegistry['state']>().returns.resolves.toEqualTypeOf<ModelState>()
  })
})
