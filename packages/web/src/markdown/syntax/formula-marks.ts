const plain = [
  ...[
    'matrix',
    'pmatrix',
    'bmatrix',
    'Bmatrix',
    'vmatrix',
    'Vmatrix',
    'smallmatrix',
    'array',
    'darray',
    'subarray',
  ],
  ...['cases', 'dcases', 'rcases', 'drcases', 'aligned', 'alignedat', 'gathered', 'split', 'CD'],
]
const numbered = ['equation', 'align', 'alignat', 'gather']

/** The environments that KaTeX renders: `\begin{…}` of any of them begins a formula without dollars. */
export const environments: readonly string[] = [...plain, ...numbered, ...numbered.map((name) => `${name}*`)]

/** Reports whether a text ends with a mark that no backslash escapes. */
export function endsWithMark(text: string, mark: string): boolean {
  if (!text.endsWith(mark)) return false
  let backslashes = 0
  while (text[text.length - mark.length - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 0
}

/**
 * Returns a test for the end of the environment `{name}`. Call it with the text so far after each character that follows
 * `\begin{name}`: environments may contain others of the same name.
 */
export function environmentEnd(name: string): (text: string) => boolean {
  let depth = 1
  return (text) => {
    if (text.endsWith(`\\begin${name}`)) depth++
    else if (text.endsWith(`\\end${name}`)) depth--
    return depth === 0
  }
}
