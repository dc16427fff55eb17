import { getLlama, type Llama } from 'node-llama-cpp'

export interface NativeGrammar {
  /** Whether the whole text is an answer of the grammar, as llama.cpp sees it. */
  accepts(text: string): boolean
}

let llama: Promise<Llama> | undefined

/** llama.cpp's own reading of a GBNF grammar. @throws if it can't be read. */
export async function nativeGrammar(source: string): Promise<NativeGrammar> {
  llama ??= getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1 })
  const grammar: object = await (await llama).createGrammar({ grammar: source })
  const testText = Reflect.get(grammar, '_testText') as (text: string) => boolean
  return { accepts: (text) => testText.call(grammar, text) }
}
