import { Component, type ReactNode } from 'react'

interface PlainOnErrorProps {
  readonly text: string
  /** The normal rendering of the text. */
  readonly children: ReactNode
}

interface PlainOnErrorState {
  readonly text: string
  readonly failed: boolean
}

/** Shows plain text if rendering fails, so that one bad block can't break the page. Tries again when the text changes. */
export class PlainOnError extends Component<PlainOnErrorProps, PlainOnErrorState> {
  override state: PlainOnErrorState = { text: this.props.text, failed: false }

  static getDerivedStateFromError(): Partial<PlainOnErrorState> {
    return { failed: true }
  }

  static getDerivedStateFromProps(
    { text }: PlainOnErrorProps,
    state: PlainOnErrorState,
  ): PlainOnErrorState | null {
    return text === state.text ? null : { text, failed: false }
  }

  override render(): ReactNode {
    const { text, children } = this.props
    return this.state.failed ? <p className="plain">{text}</p> : children
  }
}
