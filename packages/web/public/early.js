// Runs before the first paint, in every browser: sets the chosen theme, and shows a message if the browser can't run
// the page.
;(function () {
  var preferences = {}
  try {
    preferences = JSON.parse(localStorage.getItem('petals-chat.preferences')) || {}
  } catch {
    // No storage: use the system's theme.
  }
  var theme = preferences.theme
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  var supported =
    'indexedDB' in window &&
    typeof HTMLDialogElement === 'function' &&
    'popover' in HTMLElement.prototype &&
    CSS.supports('color', 'light-dark(red, blue)')
  if (supported) return
  var language = preferences.language
  if (language !== 'en' && language !== 'de') language = /^de/i.test(navigator.language) ? 'de' : 'en'
  document.addEventListener('DOMContentLoaded', function () {
    var message = document.createElement('p')
    message.className = 'unsupported'
    message.setAttribute('role', 'alert')
    message.lang = language
    message.textContent =
      language === 'de'
        ? 'Dieser Browser ist zu alt für Petals Chat. Bitte nimm Chrome 123, Edge 123, Firefox 128, Safari 17.5 oder neuer.'
        : 'This browser is too old for Petals Chat. Please use Chrome 123, Edge 123, Firefox 128, Safari 17.5 or newer.'
    document.body.insertBefore(message, document.body.firstChild)
  })
})()
