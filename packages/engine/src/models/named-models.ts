import { InvalidRequestError, ModelNotFoundError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { ModelSpec } from './model-spec.ts'
import type { LoadableModel, ModelGroup } from './loadable-model.ts'

export interface NamedModelsOptions {
  readonly logger: Logger
  /** Called for each model that a group no longer has. */
  readonly onGone: (model: LoadableModel) => void
}

interface Index {
  /** What the groups had when this was made. */
  readonly lists: readonly (readonly LoadableModel[])[]
  readonly models: readonly LoadableModel[]
  readonly specs: readonly ModelSpec[]
  readonly byName: ReadonlyMap<string, LoadableModel>
}

/** Finds models by id and alias, while groups of them change. */
export class NamedModels {
  readonly #groups: readonly ModelGroup[]
  readonly #options: NamedModelsOptions
  #index: Index

  /** @throws InvalidRequestError if two models that are always there share a name */
  constructor(members: readonly (LoadableModel | ModelGroup)[], options: NamedModelsOptions) {
    assertUnique(members.filter((member) => 'spec' in member))
    this.#groups = members.map((member) => ('spec' in member ? always(member) : member))
    this.#options = options
    this.#index = this.#read()
  }

  get specs(): readonly ModelSpec[] {
    return this.#current.specs
  }

  find(name: string): LoadableModel | undefined {
    return this.#current.byName.get(name)
  }

  /** @throws ModelNotFoundError */
  get(name: string): LoadableModel {
    const model = this.find(name)
    if (model !== undefined) return model
    throw new ModelNotFoundError(
      name,
      this.specs.map(({ id }) => id),
    )
  }

  get #current(): Index {
    const { lists, models } = this.#index
    if (this.#groups.every((group, place) => group.models() === lists[place])) return this.#index
    this.#index = this.#read()
    const now = new Set(this.#index.models)
    for (const model of models) if (!now.has(model)) this.#options.onGone(model)
    return this.#index
  }

  /** A name that is taken goes to the model that comes first; ids go before aliases. */
  #read(): Index {
    const lists = this.#groups.map((group) => group.models())
    const byName = new Map<string, LoadableModel>()
    const models = lists.flat().filter((model) => {
      const { id } = model.spec
      if (byName.has(id)) {
        this.#options.logger.warn({ model: id }, 'two models have this id: the second one is left out')
        return false
      }
      byName.set(id, model)
      return true
    })
    for (const model of models)
      for (const alias of model.spec.aliases) if (!byName.has(alias)) byName.set(alias, model)
    return { lists, models, specs: models.map(({ spec }) => spec), byName }
  }
}

function always(model: LoadableModel): ModelGroup {
  const models = [model]
  return { models: () => models }
}

function assertUnique(models: readonly LoadableModel[]): void {
  const byName = new Map<string, ModelSpec>()
  for (const { spec } of models) {
    for (const name of [spec.id, ...spec.aliases]) {
      const other = byName.get(name)
      if (other !== undefined) {
        const holders =
          other === spec ? `'${spec.id}' lists it twice` : `'${other.id}' and '${spec.id}' both have it`
        throw new InvalidRequestError(
          `The model name '${name}' is not unique: ${holders}. Change an id or an alias.`,
          { param: 'models' },
        )
      }
      byName.set(name, spec)
    }
  }
}
