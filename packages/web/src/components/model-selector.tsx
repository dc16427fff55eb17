import { useId, useState, type KeyboardEvent } from 'react'
import type { ModelInfo } from '../api/models.ts'
import { useCurrentModel } from '../app/current-model.ts'
import { useServices } from '../app/services.ts'
import { useTexts } from '../i18n/texts.ts'
import { useStore } from '../state/use-store.ts'
import { Icon } from './icon.tsx'
import { ModelDot, ModelProgress, modelStateLabel } from './model-state.tsx'
import { usePopover } from './use-popover.ts'
import './model-selector.css'

/** The button that says which model answers, and the list to choose another from. */
export function ModelSelector() {
  const { models } = useServices()
  const texts = useTexts()
  const { model, missing, choose } = useCurrentModel()
  const popover = usePopover((content) => {
    content.querySelector<HTMLElement>('[role=listbox]')?.focus()
    void models.refresh()
  })
  const name = model?.name ?? missing ?? texts.model
  const state = model
    ? modelStateLabel(texts, model.state)
    : missing
      ? texts.stateUnavailable
      : texts.stateLoading
  const chooseAndClose = (id: string): void => {
    choose(id)
    popover.close()
  }
  return (
    <div className="model-selector">
      <button
        ref={popover.button}
        type="button"
        className="model-button"
        aria-label={texts.modelButton(name, state)}
        aria-haspopup="listbox"
        {...popover.buttonProps}
      >
        {model && <ModelDot state={model.state} />}
        <span className="model-button-name">{name}</span>
        <Icon name="chevron" size={18} />
      </button>
      <div ref={popover.content} className="model-popover" {...popover.contentProps}>
        {popover.open && <ModelList current={model?.id} onChoose={chooseAndClose} onClose={popover.close} />}
      </div>
    </div>
  )
}

interface ModelListProps {
  readonly current: string | undefined
  readonly onChoose: (id: string) => void
  readonly onClose: () => void
}

function ModelList({ current, onChoose, onClose }: ModelListProps) {
  const { models } = useServices()
  const texts = useTexts()
  const { models: list, status } = useStore(models)
  const id = useId()
  const ordered = groupByFamily(list)
  const flat = ordered.flatMap(([, members]) => members)
  const [active, setActive] = useState(current ?? flat[0]?.id)
  if (flat.length === 0) {
    const text =
      status === 'loading' ? texts.modelsLoading : status === 'failed' ? texts.errorNetwork : texts.noModels
    return <p className="model-none">{text}</p>
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const index = flat.findIndex((model) => model.id === active)
    const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: flat.length - 1 }[event.key]
    const next = target === undefined ? undefined : flat[Math.min(Math.max(target, 0), flat.length - 1)]
    if (next) setActive(next.id)
    else if ((event.key === 'Enter' || event.key === ' ') && active) onChoose(active)
    else if (event.key === 'Escape' || event.key === 'Tab') onClose()
    else return
    event.preventDefault()
  }
  return (
    <div
      className="model-list"
      role="listbox"
      tabIndex={0}
      aria-label={texts.modelsOf}
      aria-activedescendant={active ? `${id}-${active}` : undefined}
      onKeyDown={onKeyDown}
    >
      {ordered.map(([family, members]) => (
        <div key={family} role="group" aria-label={family || texts.otherModels}>
          {(ordered.length > 1 || family) && (
            <div className="model-family">{family || texts.otherModels}</div>
          )}
          {members.map((model) => (
            <ModelOption
              key={model.id}
              id={`${id}-${model.id}`}
              model={model}
              selected={model.id === current}
              active={model.id === active}
              onChoose={onChoose}
            />
          ))}
        </div>
      ))}
    </div>
  )
}

interface ModelOptionProps {
  readonly id: string
  readonly model: ModelInfo
  readonly selected: boolean
  readonly active: boolean
  readonly onChoose: (id: string) => void
}

function ModelOption({ id, model, selected, active, onChoose }: ModelOptionProps) {
  const texts = useTexts()
  const { state } = model
  return (
    <div
      id={id}
      role="option"
      aria-selected={selected}
      className="model-option"
      data-active={active || undefined}
      onClick={() => onChoose(model.id)}
    >
      <ModelDot state={state} />
      <div className="model-option-words">
        <div className="model-option-name">{model.name}</div>
        <div className="model-option-state">{state.detail ?? modelStateLabel(texts, state)}</div>
        {state.progress && <ModelProgress progress={state.progress} />}
      </div>
      {selected && <Icon name="check" size={18} />}
    </div>
  )
}

function groupByFamily(models: readonly ModelInfo[]): readonly (readonly [string, readonly ModelInfo[]])[] {
  const groups = new Map<string, ModelInfo[]>()
  for (const model of models)
    groups.set(model.family ?? '', [...(groups.get(model.family ?? '') ?? []), model])
  return [...groups]
}
