// Runs before the first paint, in every browser: sets the chosen colour theme, and says so where the page can't run.
;(function () {
  try {
    var theme = JSON.parse(localStorage.getItem('petals-chat.preferences') || '{}').theme
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  } catch {
    // No storage: the system's theme.
  }
  var supported =
    'indexedDB' in window &&
    typeof HTMLDialogElement === 'function' &&
    'popover' in HTMLElement.prototype &&
    CSS.supports('color', 'light-dark(red, blue)')
  if (supported) return
  document.addEventListener('DOMContentLoaded', function () {
    var message = document.createElement('p')
    message.className = 'unsupported'
    message.setAttribute('role', 'alert')
    message.textContent =
      'This browser is too old for Petals Chat. Please use Chrome 123, Edge 123, Firefox 128, Safari 17.5 or newer.'
    document.body.insertBefore(message, document.body.firstChild)
  })
})()
