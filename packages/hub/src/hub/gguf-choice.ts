import { ModelSourceError } from '../errors.ts'
import { formatList } from '../format.ts'

/**
 * Quantizations, the best compromise of quality and size first, as llama.cpp's `-hf` and its users choose; one that is
 * not listed here is used only if there is no other.
 */
const preference = [
  ...[
    'Q4_K_M',
    'Q4_K_S',
    'Q4_0',
    'Q4_1',
    'IQ4_XS',
    'IQ4_NL',
    'Q5_K_M',
    'Q5_K_S',
    'Q5_0',
    'Q5_1',
    'Q6_K',
    'Q8_0',
  ],
  ...['Q3_K_L', 'Q3_K_M', 'Q3_K_S', 'Q2_K', 'F16', 'BF16', 'F32'],
]

const splitPattern = /-(\d{5})-of-(\d{5})\.gguf$/i

/**
 * Returns the name of the GGUF file of a quantization, or of the preferred existing one; for a split file, the names of
 * all parts in order.
 * @param where - the repository or folder, for messages
 * @throws ModelSourceError that names the existing quantizations or files
 */
export function chooseGguf(
  names: readonly string[],
  quantization: string | undefined,
  where: string,
): readonly string[] {
  const models = names.filter(isModelFile).sort()
  const found =
    quantization === undefined
      ? preference.map((name) => matching(models, name)).find((files) => files.length > 0)
      : matching(models, quantization)
  const files = found ?? models
  if (files.length === 1 && files[0] !== undefined) return splitParts(files[0])
  if (files.length > 1) {
    throw new ModelSourceError(
      'invalid',
      `${where} has more than one GGUF file to choose from: ${formatList(files, 12)}. Name the file in the source.`,
    )
  }
  if (models.length === 0) {
    throw new ModelSourceError(
      'not-found',
      `${where} has no GGUF file. Files there: ${formatList(names, 8) || 'none'}.`,
    )
  }
  throw new ModelSourceError(
    'not-found',
    `${where} has no GGUF file of ${quantization}. There are: ${formatList(models, 16)}.`,
  )
}

/** Returns the names of all parts of a split GGUF file (llama.cpp's `gguf-split`), given one; of another file, its name. */
export function splitParts(name: string): readonly string[] {
  const [, , count] = splitPattern.exec(name) ?? []
  if (count === undefined) return [name]
  return Array.from({ length: Number(count) }, (_, index) =>
    name.replace(splitPattern, `-${String(index + 1).padStart(5, '0')}-of-${count}.gguf`),
  )
}

/** Returns whether a file is a model or the first part of one; not an image projector or an importance matrix. */
function isModelFile(name: string): boolean {
  if (!/\.gguf$/i.test(name) || /mmproj|imatrix/i.test(name)) return false
  const part = splitPattern.exec(name)?.[1]
  return part === undefined || Number(part) === 1
}

/** Q4_K must not find Q4_K_M, nor Q4_K_M find IQ4_K_M. */
const matching = (names: readonly string[], quantization: string): readonly string[] => {
  const pattern = new RegExp(`(?:^|[-._/])${quantization}(?:[-./]|$)`, 'i')
  return names.filter((name) => pattern.test(name))
}
