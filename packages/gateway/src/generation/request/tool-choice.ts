import type { ToolChoice } from '@petals-chat/api'

/** The meaning of `tool_choice`, whatever notation it has. */
export interface WantedCalls {
  readonly mode: 'none' | 'auto' | 'required'
  /** The functions that may be called; undefined: all. */
  readonly names?: readonly string[] | undefined
  /** The request names one function, to be called once. */
  readonly isSingle?: boolean
}

/** Reads `tool_choice` in the notations of OpenAI's two APIs, Mistral and others. */
export function wantedCalls(choice: ToolChoice | null | undefined): WantedCalls {
  if (choice == null) return { mode: 'auto' }
  if (typeof choice === 'string') return { mode: choice === 'any' ? 'required' : choice }
  switch (choice.type) {
    case 'auto':
    case 'none':
    case 'required':
      return { mode: choice.type }
    case 'any':
      return { mode: 'required' }
    case 'allowed_tools': {
      const { mode, tools } = choice.allowed_tools
      return { mode, names: tools.map((tool) => ('function' in tool ? tool.function.name : tool.name)) }
    }
    case 'tool':
      return { mode: 'required', names: [choice.name], isSingle: true }
    case 'function':
      return {
        mode: 'required',
        names: ['function' in choice ? choice.function.name : choice.name],
        isSingle: true,
      }
  }
}
