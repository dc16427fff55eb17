import { useRef, type ComponentProps, type ReactElement } from 'react'
import ReactMarkdown, { type Components, type Options } from 'react-markdown'
import remarkGfm from 'remark-gfm'
import remarkMath from 'remark-math'
import { useTexts } from '../i18n/texts.ts'
import { CodeBlock } from './code-block.tsx'
import { displayMath } from './display-math.ts'
import { Formula } from './formula.tsx'
import { realHost, safeLink } from './link-policy.ts'
import { readCode } from './read-code.ts'
import { SafeLink } from './safe-link.tsx'
import { usePaced } from './use-paced.ts'

/** What model text may become. Anything else is dropped at the last step before it is shown; its text stays. */
const allowedElements = [
  ...['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'blockquote', 'ul', 'ol', 'li', 'input'],
  ...['strong', 'em', 'del', 'code', 'pre', 'a', 'img', 'sup', 'section'],
  ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
]

const components: Components = {
  a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
  img: ({ src, alt }) => <BlockedImage src={typeof src === 'string' ? src : undefined} alt={alt} />,
  pre: ({ children }) => {
    const { code, language, isMath } = readCode(children)
    return isMath ? (
      <Formula tex={code} display />
    ) : (
      <CodeBlock code={code} language={language} growing={false} />
    )
  },
  code: ({ className, children }) =>
    className?.includes('math-inline') ? <Formula tex={String(children)} /> : <code>{children}</code>,
  table: ({ children }) => (
    <div className="table-scroll" tabIndex={0} role="group">
      <table>{children}</table>
    </div>
  ),
  // GFM's task list: a picture of a box, not a control.
  input: ({ checked }) => <span aria-hidden="true">{checked ? '☑' : '☐'} </span>,
}

const remarkPlugins: Options['remarkPlugins'] = [
  [remarkGfm, { singleTilde: false }],
  [remarkMath, { singleDollarTextMath: false }],
]

interface MarkdownBlockProps {
  readonly text: string
  readonly growing: boolean
}

/** One block, parsed. While it grows, no more than a part of the time goes into parsing it again. */
export function MarkdownBlock({ text, growing }: MarkdownBlockProps) {
  const costMs = useRef(0)
  const paced = usePaced(text, growing, costMs)
  const rendered = useRef<{ readonly text: string; readonly element: ReactElement }>(undefined)
  if (rendered.current?.text !== paced) {
    const begin = performance.now()
    rendered.current = { text: paced, element: render(paced) }
    costMs.current = performance.now() - begin
  }
  return rendered.current.element
}

/** Called, not mounted: so that the time it takes is known. It has no state of its own. */
function render(text: string): ReactElement {
  return ReactMarkdown({
    remarkPlugins,
    allowedElements,
    unwrapDisallowed: true,
    urlTransform: keepAddress,
    components,
    children: displayMath(text),
  })
}

/** `SafeLink` and `BlockedImage` decide; nothing else takes an address. */
const keepAddress: NonNullable<Options['urlTransform']> = (address) => address

function BlockedImage({ src, alt }: Pick<ComponentProps<'img'>, 'src' | 'alt'>) {
  const texts = useTexts()
  const url = safeLink(src)
  const label = texts.imageNotLoaded(alt || '…', url ? realHost(url) : '?')
  return url ? <SafeLink href={url.href}>{label}</SafeLink> : <span>{label}</span>
}
