import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app/app.tsx'
import { createServices, ServicesContext } from './app/services.ts'
import './styles/tokens.css'
import './styles/base.css'

const services = await createServices()
void services.start()
window.addEventListener('pagehide', () => services.answers.saveAll())
window.addEventListener('online', () => services.answers.reconnect())

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
