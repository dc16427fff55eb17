import { memo, useMemo, type ComponentProps } from 'react'
import ReactMarkdown, { type Components, type Options } from 'react-markdown'
import remarkGfm from 'remark-gfm'
import { useTexts } from '../i18n/texts.ts'
import { CodeBlock } from './code-block.tsx'
import { realHost, safeLink } from './link-policy.ts'
import { SafeLink } from './safe-link.tsx'
import { splitBlocks } from './split-blocks.ts'
import './markdown.css'

/** What model text may become. Anything else is dropped at the last step before it is shown; its text stays. */
const allowedElements = [
  ...['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'blockquote', 'ul', 'ol', 'li', 'input'],
  ...[
    'strong',
    'em',
    'del',
    'code',
    'pre',
    'a',
    'img',
    'table',
    'thead',
    'tbody',
    'tr',
    'th',
    'td',
    'sup',
    'section',
  ],
]

const components: Components = {
  a: ({ href, children }) => <SafeLink href={href}>{children}</SafeLink>,
  img: ({ src, alt }) => <BlockedImage src={typeof src === 'string' ? src : undefined} alt={alt} />,
  pre: CodeBlock,
  table: ({ children }) => (
    <div className="table-scroll" tabIndex={0} role="group">
      <table>{children}</table>
    </div>
  ),
  // GFM's task list: a picture of a box, not a control.
  input: ({ checked }) => <span aria-hidden="true">{checked ? '☑' : '☐'} </span>,
}

const remarkPlugins: Options['remarkPlugins'] = [[remarkGfm, { singleTilde: false }]]

/** Model text as Markdown: raw HTML stays text, nothing is fetched, links ask first. */
export const Markdown = memo(function Markdown({ text }: { readonly text: string }) {
  const blocks = useMemo(() => splitBlocks(text), [text])
  return (
    <div className="markdown">
      {blocks.map((block, index) => (
        <Block key={index} text={block} />
      ))}
    </div>
  )
})

/** A block that is complete is parsed once. */
const Block = memo(function Block({ text }: { readonly text: string }) {
  return (
    <ReactMarkdown
      remarkPlugins={remarkPlugins}
      allowedElements={allowedElements}
      unwrapDisallowed
      urlTransform={keepAddress}
      components={components}
    >
      {text}
    </ReactMarkdown>
  )
})

/** `SafeLink` and `BlockedImage` decide; nothing else takes an address. */
const keepAddress: NonNullable<Options['urlTransform']> = (address) => address

function BlockedImage({ src, alt }: Pick<ComponentProps<'img'>, 'src' | 'alt'>) {
  const texts = useTexts()
  const url = safeLink(src)
  const label = texts.imageNotLoaded(alt || '…', url ? realHost(url) : '?')
  return url ? <SafeLink href={url.href}>{label}</SafeLink> : <span>{label}</span>
}
