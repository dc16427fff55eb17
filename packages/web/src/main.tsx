import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app/app.tsx'
import { registerServiceWorker } from './app/register-service-worker.ts'
import { createServices, ServicesContext } from './app/services.ts'
import { keepFocus } from './app/keep-focus.ts'
import { keepPage } from './app/keep-page.ts'
import { onWake } from './app/wake.ts'
import './styles/tokens.css'
import './styles/base.css'
import './styles/print.css'

const services = await createServices()
void services.start()
if (import.meta.env.PROD) registerServiceWorker()
window.addEventListener('pagehide', () => services.answers.saveAll())
keepPage()
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
