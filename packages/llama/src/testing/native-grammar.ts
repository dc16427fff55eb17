import { getLlama, type Llama } from 'node-llama-cpp'

export interface NativeGrammar {
  /** Reports whether llama.cpp accepts the whole text as an answer of the grammar. */
  accepts(text: string): boolean
}

let llama: Promise<Llama> | undefined

/** Reads a GBNF grammar with llama.cpp. @throws Error if llama.cpp can't read it */
export async function nativeGrammar(source: string): Promise<NativeGrammar> {
  llama ??= getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1 })
  const grammar: object = await (await llama).createGrammar({ grammar: source })
  const testText = Reflect.get(grammar, '_testText') as (text: string) => boolean
  return { accepts: (text) => testText.call(grammar, text) }
}
