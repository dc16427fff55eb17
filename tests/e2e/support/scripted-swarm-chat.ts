import type { RouteReport, SwarmStatus } from '@petals-chat/engine'
import { scriptedSwarm } from '../../../packages/web/dev/scripted-swarm.ts'
import type { TestGatewayOptions } from '../../../packages/gateway/src/fixtures/test-gateway.ts'

const route: RouteReport = {
  hops: [
    {
      peer: 'QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44',
      publicName: 'gpu-attic',
      start: 0,
      end: 32,
      stepMs: 41,
    },
    {
      peer: 'QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq45',
      publicName: undefined,
      start: 32,
      end: 80,
      stepMs: 63,
    },
  ],
  failovers: [
    {
      peer: 'QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq46',
      publicName: 'cellar',
      start: 56,
      end: 80,
      reason: 'The connection was reset.',
      position: 52,
      pauseMs: 412,
      replacedBy: [{ peer: 'QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq45', publicName: undefined }],
    },
  ],
  pushed: true,
  tokensPerStep: 2.14,
}

/** As if the scripted model were spread over a swarm of 80 blocks, with a gap, in which a server was lost. */
export const asOfSwarm: TestGatewayOptions = {
  name: 'petals',
  route: () => route,
  swarm: { status: () => Promise.resolve(scriptedSwarm() as SwarmStatus) },
}
