import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react'
import { Icon, type IconName } from './icon.tsx'
import './button.css'

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon?: IconName
  readonly kind?: 'plain' | 'soft' | 'primary'
  readonly children: ReactNode
  readonly ref?: Ref<HTMLButtonElement>
}

export function Button({ icon, kind = 'soft', children, className = '', ...rest }: ButtonProps) {
  return (
    <button type="button" className={`button button-${kind} ${className}`} {...rest}>
      {icon && <Icon name={icon} size={18} />}
      {children}
    </button>
  )
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon: IconName
  /** The accessible name and the tooltip. */
  readonly label: string
  readonly size?: 'small' | 'normal'
  readonly ref?: Ref<HTMLButtonElement>
}

export function IconButton({ icon, label, size = 'normal', className = '', ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      className={`icon-button icon-button-${size} ${className}`}
      aria-label={label}
      title={label}
      {...rest}
    >
      <Icon name={icon} size={size === 'small' ? 17 : 20} />
    </button>
  )
}
