import type { ToolChoice } from '@petals-chat/api'

/** What the many ways of `tool_choice` mean. */
export interface WantedCalls {
  readonly mode: 'none' | 'auto' | 'required'
  /** Only these functions; undefined: all. */
  readonly names?: readonly string[] | undefined
  /** A function was named to be called, and that once. */
  readonly isSingle?: boolean
}

/** Reads `tool_choice` as OpenAI's two APIs, Mistral and others write it. */
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
