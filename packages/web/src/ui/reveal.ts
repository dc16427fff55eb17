/** Gives the focus to what may only be there with the next picture: a restored message, a field that opens. */
export function focusSoon(id: string, options?: FocusOptions): void {
  requestAnimationFrame(() => {
    const element = document.getElementById(id)
    element?.focus(options)
    if (element instanceof HTMLInputElement) element.select()
  })
}

/** Opens what is folded around an element, so that it can be seen. */
export function unfold(element: Element): void {
  for (let box = element.closest('details'); box; box = box.parentElement?.closest('details') ?? null)
    box.open = true
}
