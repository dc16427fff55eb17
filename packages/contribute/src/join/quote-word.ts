/**
 * One word of a command line, for a shell of Unix and for PowerShell alike: addresses, paths and names come from
 * configuration and swarm, and must stay one word each. A comma or `@` alone would make a list or a hash table in
 * PowerShell, which also ends texts at typographic quotation marks.
 */
export function quoteWord(word: string): string {
  if (/^[\w%+=:./-][\w@%+=:./-]*$/.test(word)) return word
  if (!/['\u2018-\u201b]/.test(word)) return `'${word}'`
  // Between double quotes both shells leave an apostrophe alone, but not these.
  if (!/["\u201c-\u201e$`\\!]/.test(word)) return `"${word}"`
  return `'${word.replaceAll("'", `'\\''`)}'`
}
