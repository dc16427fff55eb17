import { createContext, useContext } from 'react'
import { en, type Texts } from './en.ts'

export const TextsContext = createContext<Texts>(en)

/** Returns the texts in the reader's language. */
export function useTexts(): Texts {
  return useContext(TextsContext)
}
