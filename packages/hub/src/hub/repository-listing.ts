import { z } from 'zod'
import { isSafePath } from '@petals-chat/engine'

/** One commit of a repository. */
export interface RepositoryListing {
  readonly commit: string
  readonly files: readonly RepositoryFile[]
  readonly license?: string | undefined
  readonly gated: boolean
  /** False if only the cached files are known; there may be more. */
  readonly isComplete: boolean
}

export interface RepositoryFile {
  readonly name: string
  readonly sizeBytes?: number | undefined
}

// The answer of /api/models/<repo>/revision/<revision>?blobs=true, as far as it is used here
// (huggingface_hub/hf_api.py: ModelInfo, RepoSibling).
const modelInfoSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(z.object({ rfilename: z.string(), size: z.int().min(0).nullish() })).default([]),
  gated: z.union([z.boolean(), z.string()]).nullish(),
  cardData: z
    .object({ license: z.unknown().optional(), license_name: z.unknown().optional() })
    .nullish()
    .catch(undefined),
})

/** Reads the Hub's description of a commit, without names that would lead out of a folder. Undefined if it is invalid. */
export function parseModelInfo(json: unknown): RepositoryListing | undefined {
  const { data } = modelInfoSchema.safeParse(json)
  if (data === undefined) return undefined
  const siblings = data.siblings.filter(({ rfilename }) => isSafePath(rfilename))
  const license = [data.cardData?.license_name, data.cardData?.license].find(
    (name) => typeof name === 'string',
  )
  return {
    commit: data.sha,
    files: siblings.map(({ rfilename, size }) => ({
      name: rfilename,
      ...(typeof size === 'number' && { sizeBytes: size }),
    })),
    gated: data.gated === true || typeof data.gated === 'string',
    isComplete: true,
    ...(license !== undefined && { license }),
  }
}

const listingSchema = z.object({
  commit: z.string(),
  files: z.array(z.object({ name: z.string().refine(isSafePath), sizeBytes: z.number().optional() })),
  license: z.string().optional(),
  gated: z.boolean(),
  isComplete: z.boolean(),
})

/** Reads a stored listing. Undefined if it is damaged. */
export function parseStoredListing(text: string): RepositoryListing | undefined {
  try {
    return listingSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
