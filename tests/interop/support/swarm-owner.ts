// Starts a server of a private swarm, prints its process group, and runs until it is killed. Started by swarm-lifetime.test.ts.
import '../../support/end-with-vitest.ts'
import { ensureModel, findModel } from '../../../swarm/models.ts'
import { startServer } from '../../../swarm/server.ts'

const [folder = ''] = process.argv.slice(2)
const model = findModel('stories15M')
const server = await startServer({
  modelFolder: await ensureModel(model),
  dhtPrefix: model.dhtPrefix,
  start: 0,
  end: 1,
  initialPeers: [],
  folder,
  name: 'owned',
})
process.stdout.write(`${server.group}\n`)
await server.exited
