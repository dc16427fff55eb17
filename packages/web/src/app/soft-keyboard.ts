/**
 * Soft keyboards have no Shift+Enter: there Enter begins a line, and buttons send. They open with the focus of a field,
 * so that no field is given it unasked.
 */
export const softKeyboard = window.matchMedia('(hover: none)')
