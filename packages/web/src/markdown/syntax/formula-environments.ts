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

/** What may stand between `\begin{…}` and `\end{…}` outside of dollars: the environments of formulas that KaTeX draws. */
export const environments: readonly string[] = [...plain, ...numbered, ...numbered.map((name) => `${name}*`)]
