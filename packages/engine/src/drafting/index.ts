/**
 * Guesses of the next tokens of an answer, and how many of them a step should check. Apart from the package's main module, so
 * that a program which only decodes need not load the rest.
 *
 * @packageDocumentation
 */
export { Acceptance, ModelAcceptance, usualOfModels } from './acceptance.ts'
export { DraftPolicy, type DraftChoice, type RoundOutlook, type RoundResult } from './draft-policy.ts'
export type { DraftOptions, DraftSource } from './draft-source.ts'
export { LookupSource } from './lookup-source.ts'
export { longestMatch, PromptLookup } from './prompt-lookup.ts'
export { RoundTimes, stepWidths } from './round-times.ts'
