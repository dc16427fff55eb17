import { createContext, useContext } from 'react'
import { en, type Texts } from './en.ts'

export const TextsContext = createContext<Texts>(en)

/** The texts of the reader's language. */
export function useTexts(): Texts {
  return useContext(TextsContext)
}
