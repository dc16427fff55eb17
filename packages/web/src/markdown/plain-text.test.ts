import { expect, it } from 'vitest'
import { plainText } from './plain-text.ts'

it('keeps words and order, and drops the marks', () => {
  const markdown = `# Title

Some **bold**, *italic*, ~~gone~~ and \`code\`, a [link](https://example.org) and <https://example.com>.\\
Next line with $x_1 * y_2$.

- one
- two
  1. inner
- [x] done

| a | b |
| - | - |
| 1 | **2** |

> quoted

\`\`\`js
const a = '*'
\`\`\`

$$
\\frac{1}{2}
$$`
  expect(plainText(markdown)).toBe(`Title

Some bold, italic, gone and code, a link (https://example.org) and https://example.com.
Next line with x_1 * y_2.

- one
- two
  1. inner
- [x] done

a\tb
1\t2

quoted

const a = '*'

\\frac{1}{2}`)
})
