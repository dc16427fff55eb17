import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './components/app.tsx'
import { registerServiceWorker } from './app/register-service-worker.ts'
import { createServices, ServicesContext } from './app/services.ts'
import { keepFocus } from './ui/keep-focus.ts'
import './styles/tokens.css'
import './styles/base.css'
import './styles/print.css'

/** After this time in the background, the tab and the machine may have slept. */
const MAY_HAVE_SLEPT_MS = 30_000

const services = await createServices()
void services.start()
if (import.meta.env.PROD) registerServiceWorker()
window.addEventListener('pagehide', () => services.saveAll())
refuseStrayFiles()
keepFocus(document)
onWake(() => {
  services.answers.reconnect()
  void services.models.refresh()
})
window.addEventListener('offline', () => void services.models.refresh())

const root = document.getElementById('root')
if (root) {
  createRoot(root).render(
    <StrictMode>
      <ServicesContext value={services}>
        <App />
      </ServicesContext>
    </StrictMode>,
  )
}

/** Refuses files that are dropped outside a drop zone: browsers would open them in place of the page. */
function refuseStrayFiles(): void {
  const refuse = (event: DragEvent): void => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    event.dataTransfer.dropEffect = 'none'
  }
  window.addEventListener('dragover', refuse)
  window.addEventListener('drop', refuse)
}

/** Calls back when the network returns or the tab wakes: older connections may be dead without a sign of it. */
function onWake(run: () => void): void {
  let hiddenAt = Infinity
  window.addEventListener('online', run)
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hiddenAt = Date.now()
    else if (Date.now() - hiddenAt > MAY_HAVE_SLEPT_MS) run()
  })
}
