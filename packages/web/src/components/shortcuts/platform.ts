/** Computers of Apple have ⌘ where others have Ctrl. */
export const isApple = /Mac|iPhone|iPad|iPod/.test(navigator.platform)
