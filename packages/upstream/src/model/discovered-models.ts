import type { LoadableModel, ModelGroup } from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { servedModel } from './served-model.ts'
import type { UpstreamModelOptions } from './upstream-model.ts'

type Dependencies = Omit<UpstreamModelOptions, 'spec' | 'name'>

/** The models that the servers of an entry list. As long as none is known, the entry itself stands for the first. */
export class DiscoveredModels implements ModelGroup {
  readonly #spec: UpstreamModelSpec
  readonly #dependencies: Dependencies
  #known = new Map<string, LoadableModel>()
  readonly #placeholder: readonly LoadableModel[]
  #names = ''
  #models: readonly LoadableModel[]

  constructor(spec: UpstreamModelSpec, dependencies: Dependencies) {
    this.#spec = spec
    this.#dependencies = dependencies
    this.#placeholder = [servedModel(spec, { ...dependencies, name: undefined })]
    this.#models = this.#placeholder
  }

  models(): readonly LoadableModel[] {
    const offered = this.#dependencies.pool.offers.map(({ name }) => name)
    const names = JSON.stringify(offered)
    if (names === this.#names) return this.#models
    this.#names = names
    const now = new Map(offered.map((name, place) => this.#entry(name, place)))
    this.#known = now
    this.#models = now.size === 0 ? this.#placeholder : [...now.values()]
    return this.#models
  }

  /** The first one also has the name of the entry, so that the name means something at any time. */
  #entry(name: string, place: number): [key: string, model: LoadableModel] {
    const key = `${place === 0 ? 'first' : 'other'} ${name}`
    const known = this.#known.get(key)
    if (known !== undefined) return [key, known]
    const { id, aliases, displayName } = this.#spec
    const model = servedModel(
      {
        ...this.#spec,
        id: `${id}/${name}`,
        aliases: place === 0 ? [name, id, ...aliases] : [name],
        family: this.#spec.family ?? displayName ?? id,
        displayName: name,
      },
      { ...this.#dependencies, name },
    )
    return [key, model]
  }
}
