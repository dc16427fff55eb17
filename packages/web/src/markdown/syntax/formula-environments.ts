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
