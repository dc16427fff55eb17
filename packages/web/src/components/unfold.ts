/** Opens what is folded around an element, so that it can be seen. */
export function unfold(element: Element): void {
  for (let box = element.closest('details'); box; box = box.parentElement?.closest('details') ?? null)
    box.open = true
}
