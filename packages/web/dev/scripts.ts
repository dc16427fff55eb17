export interface Script {
  readonly text: string
  readonly tokensPerSecond: number
  readonly failure?: 'capacity' | 'cut' | 'error' | 'length'
}

const tour = `# A short tour

Here is **bold**, *italic*, ~~gone~~ and \`code\`, then a [link](https://example.org/somewhere).

| Model | Blocks | Tokens/s |
| --- | --: | --: |
| Small | 30 | 96.4 |
| Swarm 70B | 80 | 5.1 |

1. First
2. Second
   - inside
   - inside too
3. Third

> A quotation of one line.

\`\`\`python
def fibonacci(n: int) -> int:
    """The n-th Fibonacci number."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
\`\`\`

Inline $e^{i\\pi} + 1 = 0$, and on its own:

$$
\\int_{-\\infty}^{\\infty} e^{-x^2} \\, dx = \\sqrt{\\pi}
$$

![A picture](https://example.org/picture.png) and <b onclick="alert(1)">raw HTML</b>.
`

const prose =
  'Petals spread a large model over many computers. Each one holds a few of its blocks, and an answer travels through all of them, token by token. '

/** Text that is expensive to render, for some minutes: long code, tables, formulas, lists. */
export function longTour(sections: number): string {
  return Array.from({ length: sections }, (_, index) => `## Part ${index + 1}\n\n${tour}\n${longCode}`).join(
    '\n',
  )
}

const longCode = [
  'A longer program:\n\n```ts',
  ...Array.from(
    { length: 120 },
    (_, line) => `export const value${line} = compute(${line}, { name: 'value ${line}' }) // line ${line}`,
  ),
  '```\n',
].join('\n')

/** A word in the question selects the script. */
const scripts: readonly (readonly [RegExp, Script])[] = [
  [/everything/i, { text: longTour(12), tokensPerSecond: 60 }],
  [/tour|markdown/i, { text: tour, tokensPerSecond: 60 }],
  [
    /think/i,
    {
      text: `<think>\nThe reader wants to see reasoning. Let me think in two steps.\n\n1. Look.\n2. Answer.\n</think>\n\nHere is the answer.`,
      tokensPerSecond: 20,
    },
  ],
  [/long/i, { text: prose.repeat(60), tokensPerSecond: 60 }],
  [/slow/i, { text: prose, tokensPerSecond: 0.8 }],
  [/capacity/i, { text: '', tokensPerSecond: 1, failure: 'capacity' }],
  [/cut/i, { text: prose, tokensPerSecond: 30, failure: 'cut' }],
  [/length/i, { text: prose, tokensPerSecond: 60, failure: 'length' }],
  [/error/i, { text: prose, tokensPerSecond: 60, failure: 'error' }],
]

export function pickScript(question: string): Script {
  return (
    scripts.find(([pattern]) => pattern.test(question))?.[1] ?? { text: prose.repeat(2), tokensPerSecond: 40 }
  )
}
