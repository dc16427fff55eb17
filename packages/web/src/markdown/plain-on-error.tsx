import { Component, type ReactNode } from 'react'

interface PlainOnErrorProps {
  readonly text: string
  /** How the text is shown, as long as that works. */
  readonly children: ReactNode
}

interface PlainOnErrorState {
  readonly text: string
  readonly failed: boolean
}

/** Shows a text as it is where drawing it fails: one bad block must not take the page away. More text is another try. */
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
