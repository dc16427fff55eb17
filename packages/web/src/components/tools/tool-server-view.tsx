import { useId } from 'react'
import { serverName, type ToolInfo, type ToolServer } from '../../api/tools.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button } from '../../ui/button.tsx'

interface ToolServerViewProps {
  readonly server: ToolServer
  /** Names of the tools that are on. */
  readonly on: readonly string[]
  readonly disabled: boolean
  readonly onChange: (name: string, on: boolean) => void
  readonly onRetry: () => void
}

/** A server with its tools, each with a switch. */
export function ToolServerView({ server, on, disabled, onChange, onRetry }: ToolServerViewProps) {
  const texts = useTexts()
  const { title, builtIn, state, problem, tools } = server
  const words = {
    ready: builtIn ? texts.toolsBuiltIn : undefined,
    connecting: texts.toolServerConnecting,
    unreachable: texts.toolServerUnreachable,
  }[state]
  return (
    <fieldset className="tool-server">
      <legend>
        <span dir="auto">{serverName(server)}</span>
        {title && title !== server.name && (
          <span className="tool-server-state" dir="auto">
            {title}
          </span>
        )}
        {words && (
          <span className="tool-server-state" data-state={state}>
            {words}
          </span>
        )}
      </legend>
      {(problem || state === 'unreachable') && (
        <div className="tools-problem">
          <p dir="auto">{problem ?? texts.toolServerUnreachable}</p>
          {state === 'unreachable' && (
            <Button icon="retry" onClick={onRetry}>
              {texts.retry}
            </Button>
          )}
        </div>
      )}
      {tools.map((tool) => (
        <ToolSwitch
          key={tool.name}
          tool={tool}
          builtIn={builtIn}
          checked={on.includes(tool.name)}
          disabled={disabled}
          onChange={(value) => onChange(tool.name, value)}
        />
      ))}
    </fieldset>
  )
}

interface ToolSwitchProps {
  readonly tool: ToolInfo
  readonly builtIn: boolean
  readonly checked: boolean
  readonly disabled: boolean
  readonly onChange: (on: boolean) => void
}

function ToolSwitch({ tool, builtIn, checked, disabled, onChange }: ToolSwitchProps) {
  const texts = useTexts()
  const id = useId()
  const harmless = builtIn ? texts.toolOnlyReads : texts.toolAsksOnce
  return (
    <div className="tool-switch">
      <input
        id={id}
        type="checkbox"
        role="switch"
        checked={checked}
        disabled={disabled}
        aria-describedby={`${id}-words`}
        onChange={(event) => onChange(event.target.checked)}
      />
      <div className="tool-words">
        <label htmlFor={id} dir="auto">
          {tool.title}
        </label>
        {tool.title !== tool.name && <code>{tool.name}</code>}
        <div id={`${id}-words`}>
          {/* Words of another server: text only. */}
          <p dir="auto">{tool.description}</p>
          <p className="tool-kind">{tool.readOnly ? harmless : texts.toolAsksAlways}</p>
        </div>
      </div>
    </div>
  )
}
