/** Splits a text as a shell does: at spaces outside quotes; a backslash escapes the next character. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  for (const [word] of text.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs)) {
    const parts = word.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^"'\\]+)/gs)
    words.push(
      [...parts]
        .map(([, double, single, escaped, plain]) =>
          double === undefined ? (single ?? escaped ?? plain ?? '') : double.replace(/\\(["\\$`])/g, '$1'),
        )
        .join(''),
    )
  }
  return words
}
