/** Focuses an element that may only exist in the next frame, such as a restored message or a field that opens. */
export function focusSoon(id: string, options?: FocusOptions): void {
  requestAnimationFrame(() => {
    const element = document.getElementById(id)
    element?.focus(options)
    if (element instanceof HTMLInputElement) element.select()
  })
}

/** Opens every `<details>` around an element, so that it is visible. */
export function unfold(element: Element): void {
  for (let box = element.closest('details'); box; box = box.parentElement?.closest('details') ?? null)
    box.open = true
}
