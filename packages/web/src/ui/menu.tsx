import type { KeyboardEvent, ReactNode } from 'react'
import { IconButton } from './button.tsx'
import { Icon, type IconName } from './icon.tsx'
import { pressedKey } from './pressed-key.ts'
import { usePopover } from './use-popover.ts'
import './menu.css'

interface MenuProps {
  /** Accessible name of the button. */
  readonly label: string
  readonly icon?: IconName
  readonly size?: 'small' | 'normal'
  /** `tabIndex` of the button: -1 if the arrow keys lead to the item that it belongs to. */
  readonly tabIndex?: number
  /** `MenuItem`s. */
  readonly children: ReactNode
}

/** A button that opens a list of actions. */
export function Menu({ label, icon = 'more', size = 'small', tabIndex, children }: MenuProps) {
  const menu = usePopover((content) => itemsOf(content)[0]?.focus())
  const onKeyDown = (event: KeyboardEvent): void => {
    const key = pressedKey(event) ?? ''
    const items = itemsOf(menu.content.current)
    const index = items.indexOf(document.activeElement as HTMLElement)
    const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: -1 }[key]
    if (key === 'Tab') menu.close()
    if (target === undefined) return
    event.preventDefault()
    items.at(target % items.length)?.focus()
  }
  return (
    <>
      <IconButton
        ref={menu.button}
        icon={icon}
        size={size}
        label={label}
        tabIndex={tabIndex}
        aria-haspopup="menu"
        {...menu.buttonProps}
      />
      <div
        ref={menu.content}
        role="menu"
        aria-label={label}
        className="menu"
        onKeyDown={onKeyDown}
        onClick={menu.close}
        {...menu.contentProps}
      >
        {menu.open && children}
      </div>
    </>
  )
}

interface MenuItemProps {
  readonly icon: IconName
  readonly kind?: 'plain' | 'danger'
  readonly onSelect: () => void
  readonly children: ReactNode
}

export function MenuItem({ icon, kind = 'plain', onSelect, children }: MenuItemProps) {
  return (
    <button
      type="button"
      role="menuitem"
      tabIndex={-1}
      className={`menu-item menu-item-${kind}`}
      onClick={onSelect}
    >
      <Icon name={icon} size={18} />
      {children}
    </button>
  )
}

function itemsOf(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])]
}
