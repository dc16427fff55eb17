import { useEffect } from 'react'
import { useChatTools, useCurrentModel } from '../../app/current-chat.ts'
import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { findTool } from '../../state/tools-store.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { Modal } from '../../ui/modal.tsx'
import { ToolServerView } from './tool-server-view.tsx'
import './tools-dialog.css'

/** While a server of tools is being connected, its state is asked for this often. */
const CONNECTING_MS = 1500

/** The tools that the model may call in a chat. A switch applies at once. */
export default function ToolsDialog({ onClose }: { readonly onClose: () => void }) {
  const { tools } = useServices()
  const texts = useTexts()
  const { names, change } = useChatTools()
  const { model } = useCurrentModel()
  const { status, servers, error, modelsWithoutTools } = useStore(tools)
  useEffect(() => void tools.refresh(), [tools])
  const isConnecting = servers.some(({ state }) => state === 'connecting')
  useEffect(() => {
    if (!isConnecting) return undefined
    const timer = setInterval(() => void tools.refresh(), CONNECTING_MS)
    return () => clearInterval(timer)
  }, [tools, isConnecting])
  const unsupported = model !== undefined && modelsWithoutTools.has(model.id)
  const set = (name: string, on: boolean): void =>
    change(on ? [...names, name] : names.filter((other) => other !== name))
  return (
    <Modal title={texts.tools} size="wide" onClose={onClose}>
      <div className="tools">
        <p className="tools-note">{texts.toolsIntro}</p>
        {unsupported && (
          <p className="tools-problem" role="status">
            {texts.toolsUnsupported(model.name)}
          </p>
        )}
        {status === 'loading' && <p role="status">{texts.toolsLoading}</p>}
        {status === 'failed' && (
          <div className="tools-problem">
            <p role="status">{[texts.toolsFailed, error?.message].filter(Boolean).join(' ')}</p>
            <Button icon="retry" onClick={() => void tools.refresh()}>
              {texts.retry}
            </Button>
          </div>
        )}
        {status === 'ready' && servers.length === 0 && <p>{texts.toolsNone}</p>}
        {servers.map((server) => (
          <ToolServerView
            key={server.name}
            server={server}
            on={names}
            disabled={unsupported}
            onChange={set}
            onRetry={() => void tools.refresh()}
          />
        ))}
        {status === 'ready' &&
          names
            .filter((name) => !findTool(servers, name))
            .map((name) => (
              <div key={name} className="tools-problem">
                <p>{texts.toolMissing(name)}</p>
                <Button kind="plain" onClick={() => set(name, false)}>
                  {texts.dismiss}
                </Button>
              </div>
            ))}
        <DefaultChoice names={names} />
      </div>
    </Modal>
  )
}

/** Offers to begin new chats with the tools of this one. */
function DefaultChoice({ names }: { readonly names: readonly string[] }) {
  const { preferences } = useServices()
  const texts = useTexts()
  const preferred = useStore(preferences, (state) => state.tools)
  const isDefault = names.toSorted().join() === preferred.toSorted().join()
  if (isDefault && names.length === 0) return null
  return (
    <div className="tools-default">
      {isDefault ? (
        <p role="status" tabIndex={-1} data-focus-home>
          {texts.toolsAreDefault}
        </p>
      ) : (
        <Button kind="plain" icon="pin" onClick={() => preferences.change({ tools: names })}>
          {texts.toolsForNewChats}
        </Button>
      )}
    </div>
  )
}
