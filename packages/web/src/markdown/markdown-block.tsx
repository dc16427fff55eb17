import { createContext, memo, type ReactElement, type RefObject, useContext, useMemo } from 'react'
import type { Components } from 'hast-util-to-jsx-runtime'
import { useTexts } from '../i18n/texts.ts'
import { CodeBlock, readCode } from './code-block.tsx'
import { drawNodes } from './draw-nodes.ts'
import { FootnoteLink } from './footnote-link.tsx'
import { Formula } from './formula.tsx'
import type { Block } from './growing-blocks.ts'
import { realHost, safeLink } from './link-policy.ts'
import { SafeLink } from './safe-link.tsx'

/** Whether the block is still growing: not a property of its parts, which stay the same elements when it is complete. */
const GrowingContext = createContext(false)

const components: Partial<Components> = {
  a: ({ href = '', id, children, 'aria-label': label, ...marks }) =>
    // A model's own `[text](#place)` leads nowhere: only footnotes have places.
    'data-footnote-ref' in marks || 'data-footnote-backref' in marks ? (
      <FootnoteLink target={href.slice(1)} id={id} label={label}>
        {children}
      </FootnoteLink>
    ) : (
      <SafeLink href={href}>{children}</SafeLink>
    ),
  img: ({ src, alt }) => <BlockedImage src={typeof src === 'string' ? src : undefined} alt={alt} />,
  pre: ({ children }) => {
    const { code, language } = readCode(children)
    return language === 'math' ? (
      <Formula tex={code} display />
    ) : (
      <GrowingCode code={code} language={language} />
    )
  },
  code: ({ className, children }) =>
    className?.startsWith('formula') ? (
      // One that has just begun is empty, and has no children.
      <Formula tex={typeof children === 'string' ? children : ''} display={className === 'formula-display'} />
    ) : (
      <code dir="ltr">{children}</code>
    ),
  table: ({ children, dir }) => (
    <div className="table-scroll" tabIndex={0} role="group">
      <table dir={dir}>{children}</table>
    </div>
  ),
  // GFM's task list: a picture of a box, not a control.
  input: ({ checked }) => <TaskBox done={checked === true} />,
}

function GrowingCode({ code, language }: { readonly code: string; readonly language: string }) {
  return <CodeBlock code={code} language={language} growing={useContext(GrowingContext)} />
}

interface MarkdownBlockProps {
  readonly block: Block
  readonly idPrefix: string
  readonly growing: boolean
  /** Where the time that drawing takes is added, so that a dear block is drawn less often. */
  readonly costMs?: RefObject<number>
}

/** One block. It is drawn once, and again only when its text has changed. */
export const MarkdownBlock = memo(function MarkdownBlock({
  block,
  idPrefix,
  growing,
  costMs,
}: MarkdownBlockProps): ReactElement {
  const texts = useTexts()
  const drawn = useMemo(() => {
    const begin = performance.now()
    const elements = drawNodes(block.nodes, {
      idPrefix,
      footnoteLabel: texts.footnotes,
      footnoteBackLabel: texts.footnoteBack,
      components,
    })
    if (costMs) costMs.current += performance.now() - begin
    return elements
  }, [block, idPrefix, texts, costMs])
  return <GrowingContext value={growing}>{drawn}</GrowingContext>
})

function TaskBox({ done }: { readonly done: boolean }) {
  const texts = useTexts()
  return (
    <span className="task-box" role="img" aria-label={done ? texts.taskDone : texts.taskOpen}>
      {done ? '☑' : '☐'}
    </span>
  )
}

function BlockedImage({ src, alt }: { readonly src: string | undefined; readonly alt: string | undefined }) {
  const texts = useTexts()
  const url = safeLink(src)
  const label = texts.imageNotLoaded(alt || '…', url ? realHost(url) : '?')
  return url ? <SafeLink href={url.href}>{label}</SafeLink> : <span>{label}</span>
}
