import type { Code } from 'micromark-util-types'

/** Micromark's character codes: UTF-16 code units, `null` at the end, negative for tabs and line endings. */
export const codes = {
  dollar: 36,
  asterisk: 42,
  slash: 47,
  lessThan: 60,
  greaterThan: 62,
  backslash: 92,
  underscore: 95,
  backtick: 96,
  tilde: 126,
} as const

export const isLineEnding = (code: Code): boolean => code !== null && code < -2
export const isLineEnd = (code: Code): boolean => code === null || code < -2
/** Spaces and tabs within a line. */
export const isSpace = (code: Code): boolean => code === -2 || code === -1 || code === 32
export const isBlank = (code: Code): boolean => isLineEnd(code) || isSpace(code)

/** Returns the character as a string; a space for codes without a character. */
export const characterOf = (code: Code): string =>
  code === null ? '' : code < 0 ? ' ' : String.fromCharCode(code)

const cjkLetter =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}ー]/u
const cjkPunctuation =
  /[\u3001-\u3003\u3008-\u3020\u3030\u303d\ufe10-\ufe1f\ufe30-\ufe4f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]/

export const isCjkLetter = (code: Code): boolean => cjkLetter.test(characterOf(code))
export const isCjkPunctuation = (code: Code): boolean => cjkPunctuation.test(characterOf(code))
export const isCjk = (code: Code): boolean => isCjkLetter(code) || isCjkPunctuation(code)

/**
 * Marks that end an address in text without spaces and never occur in one: East Asian, Arabic and Indic marks, and
 * “quotes”.
 */
const afterAddress = new RegExp(`${cjkPunctuation.source}|[‘-‟…،؛؟۔।॥]`, 'u')
export const endsAddress = (code: Code): boolean => afterAddress.test(characterOf(code))

const word = /[\p{Script=Latin}\p{N}]/u
/** Reports whether a code is a Latin letter or a digit. Other scripts may stand beside a formula without a space. */
export const isWord = (code: Code): boolean => word.test(characterOf(code))
