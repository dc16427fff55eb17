import { createModelStore, type ModelStore } from '@petals-chat/hub'
import type { ModelFiles, ModelSource } from '@petals-chat/engine'
import { draftOf } from '../models/shared-files.ts'
import { ok, warning, type Check, type CheckResult } from './check.ts'

/** A swarm model and the draft model of its entry. */
export interface Drafted {
  readonly id: string
  readonly source: ModelSource
  readonly draft: ModelSource
}

/** What is wrong with a draft model, and how to mend it. Answers come without its guesses: slower, but the same. */
interface DraftProblem {
  readonly message: string
  readonly advice: string
}

/** Checks whether the draft models of the configuration are on this machine, and speak the tokens of their models. */
export const draftsCheck: Check = {
  name: 'Draft models',
  async run({ config, baseFolder }) {
    if (config.swarm.speculation === 'off') return ok('not used: swarm.speculation is off')
    const drafted = config.models.flatMap((spec): readonly Drafted[] => {
      const draft = draftOf(spec)
      return draft && spec.engine === 'petals' ? [{ id: spec.id, source: spec.source, draft }] : []
    })
    // What is not on this machine is not downloaded to look at it.
    const store = createModelStore({ ...config.hub, offline: true }, { baseFolder })
    return await checkDrafts(drafted, store)
  },
}

export async function checkDrafts(
  drafted: readonly Drafted[],
  store: Pick<ModelStore, 'info' | 'openFiles'>,
): Promise<CheckResult> {
  if (drafted.length === 0) return ok('none is configured (speculation.draft of a model of a swarm)')
  const found = await Promise.all(drafted.map((each) => problemOf(each, store)))
  const problems = found.filter((problem) => problem !== undefined)
  if (problems.length === 0)
    return ok(`those of ${drafted.map(({ id }) => id).join(', ')} have the vocabularies of their models`)
  const message = problems.map((problem) => problem.message).join('; ')
  return warning(message, problems.map(({ advice }) => advice).join('\n'))
}

async function problemOf(
  { id, source, draft }: Drafted,
  store: Pick<ModelStore, 'info' | 'openFiles'>,
): Promise<DraftProblem | undefined> {
  const pull = `It is downloaded when ${id} is loaded, or now by: petals-chat models pull ${id}`
  const path = await ggufOf(draft, store)
  if (path === undefined) return { message: `the draft model of ${id} is not on this machine`, advice: pull }
  const [{ readGgufTokenizer }, { requireFittingDraft }] = await Promise.all([
    import('@petals-chat/llama'),
    import('@petals-chat/petals'),
  ])
  const files = await store.openFiles(source).catch(() => undefined)
  const missing = await missingOf(files)
  if (!files || missing.length > 0)
    return {
      message: `${missing.join(' and ')} of ${id} ${missing.length > 1 ? 'are' : 'is'} not on this machine, so its draft model can't be compared`,
      advice: source.type === 'local' ? `Put what is missing into ${source.path}` : pull,
    }
  try {
    await requireFittingDraft(files, await readGgufTokenizer(path))
    return undefined
  } catch (error) {
    const [message = '', ...rest] = (error instanceof Error ? error.message : String(error)).split(
      /\. (?=[A-Z])/,
    )
    const advice = rest.join('. ') || 'Set another file as speculation.draft, or remove the setting.'
    return { message: `the draft model of ${id} can't be used: ${message}`, advice }
  }
}

/** The files of a model that tell its vocabulary. */
const vocabularyFiles = ['config.json', 'tokenizer.json'] as const

async function missingOf(files: ModelFiles | undefined): Promise<readonly string[]> {
  if (!files) return vocabularyFiles
  const texts = await Promise.all(vocabularyFiles.map((name) => files.text(name).catch(() => undefined)))
  return vocabularyFiles.filter((_, index) => texts[index] === undefined)
}

/** Returns the downloaded file, the first one if there are several parts. */
async function ggufOf(draft: ModelSource, store: Pick<ModelStore, 'info'>): Promise<string | undefined> {
  const alternatives = await store.info(draft).catch(() => [])
  return alternatives
    .flatMap(({ files }) => files)
    .find(({ path, name }) => path !== undefined && /\.gguf$/i.test(name))?.path
}
