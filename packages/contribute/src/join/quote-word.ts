/**
 * One word of a command line, for a shell of Unix and for PowerShell alike: addresses, paths and names come from
 * configuration and swarm, and must stay one word each. A comma or `@` alone would make a list or a hash table in
 * PowerShell.
 */
export function quoteWord(word: string): string {
  if (/^[\w%+=:./-][\w@%+=:./-]*$/.test(word)) return word
  if (!word.includes("'")) return `'${word}'`
  // Between double quotes both shells leave an apostrophe alone, but not these.
  if (!/["$`\\!]/.test(word)) return `"${word}"`
  return `'${word.replaceAll("'", `'\\''`)}'`
}
