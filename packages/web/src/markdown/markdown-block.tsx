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

/**
 * Whether the block is still growing. It is not a property of the parts, which stay the same elements when the block is
 * complete.
 */
const GrowingContext = createContext(false)

const components: Partial<Components> = {
  a: ({ href = '', id, children, 'aria-label': label, ...marks }) =>
    // A model's own `[text](#anchor)` leads nowhere: only footnotes have anchors.
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
      // A formula that has just begun is empty and has no children.
      <Formula tex={typeof children === 'string' ? children : ''} display={className === 'formula-display'} />
    ) : (
      <code dir="ltr">{children}</code>
    ),
  table: ({ children, dir }) => (
    <div className="table-scroll" tabIndex={0} role="group">
      <table dir={dir}>{children}</table>
    </div>
  ),
  // GFM's task list: an image of a box, not a control.
  input: ({ checked }) => <TaskBox done={checked === true} />,
}

function GrowingCode({ code, language }: { readonly code: string; readonly language: string }) {
  return <CodeBlock code={code} language={language} growing={useContext(GrowingContext)} />
}

interface MarkdownBlockProps {
  readonly block: Block
  readonly idPrefix: string
  readonly growing: boolean
  /** Accumulates the rendering time, so that an expensive block is rendered less often. */
  readonly costMs?: RefObject<number>
}

/** One block. It is rendered again only when its text has changed. */
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
