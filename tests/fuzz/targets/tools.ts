import { calculatorTool } from '../../../packages/tools/src/built-in/calculator.ts'
import { htmlText } from '../../../packages/tools/src/built-in/html-text.ts'
import { ToolFailure } from '../../../packages/tools/src/tool-server.ts'
import type { FuzzTarget } from '../fuzz.ts'

const target = (name: string, seeds: readonly string[], run: (text: string) => unknown): FuzzTarget => ({
  name: `tools-${name}`,
  seeds: seeds.map((seed) => Buffer.from(seed)),
  run: (bytes) => void run(new TextDecoder().decode(bytes)),
  refusals: [ToolFailure],
})

/** What pages of the web and models send to the built-in tools. */
export const toolTargets: readonly FuzzTarget[] = [
  target(
    'page',
    [
      '<!doctype html><title>A</title><body><nav>x</nav><ul><li>a<li>b</ul><p>c &amp; d<br>e<script>f</script></body>',
      '<svg><title>x</title></svg><table><tr><td>1<td>2</table><!-- y --><![CDATA[z]]><p a="b\'>',
    ],
    htmlText,
  ),
  target('formula', ['2 * (3 + sqrt(16)) ^ -2 % 5!', 'round(log(8, 2), 1) - 1e3 ÷ π'], (expression) =>
    calculatorTool.run({ expression }, { timeoutMs: 1000 }),
  ),
]
