import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app/app.tsx'
import { registerServiceWorker } from './app/register-service-worker.ts'
import { createServices, ServicesContext } from './app/services.ts'
import { keepPage } from './app/keep-page.ts'
import { onWake } from './app/wake.ts'
import './styles/tokens.css'
import './styles/base.css'

const services = await createServices()
void services.start()
if (import.meta.env.PROD) registerServiceWorker()
window.addEventListener('pagehide', () => services.answers.saveAll())
keepPage()
onWake(() => services.answers.reconnect())

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
