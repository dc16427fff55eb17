import type { Reach, ServerSettings } from './server-settings.ts'

type Arguments = readonly string[]

/** Returns the arguments of `petals_server.py`. */
export function serverArguments(settings: ServerSettings): Arguments {
  const { model, reach = { kind: 'auto' } } = settings
  return [
    ...p2pArguments(reach, settings.host),
    model,
    ...swarmArguments(settings.swarm),
    ...flag('--identity_path', settings.identityPath),
    ...['--host_maddrs', ...listenAddresses(settings)],
    ...announceArguments(reach),
    ...blockArguments(settings.blocks),
    ...flag('--revision', settings.revision),
    ...flag('--dht_prefix', settings.dhtPrefix),
    ...flag('--quant_type', settings.quantization),
    ...flag('--torch_dtype', settings.dtype),
    ...flag('--device', settings.device),
    ...flag('--public_name', settings.publicName),
    ...flag('--attn_cache_tokens', settings.cacheTokens),
    ...flag('--throughput', settings.throughput),
    ...flag('--num_handlers', settings.handlers),
    ...((settings.adapters ?? []).length > 0 ? ['--adapters', ...settings.adapters!] : []),
    ...(settings.extra ?? []),
  ]
}

const flag = (name: string, value: string | number | undefined): Arguments =>
  value === undefined ? [] : [name, String(value)]

function swarmArguments(swarm: ServerSettings['swarm']): Arguments {
  if (swarm === 'public') return []
  return swarm === 'new' || swarm.length === 0 ? ['--new_swarm'] : ['--initial_peers', ...swarm]
}

function blockArguments(blocks: ServerSettings['blocks']): Arguments {
  if (blocks === undefined) return []
  return typeof blocks === 'number'
    ? ['--num_blocks', String(blocks)]
    : ['--block_indices', `${blocks.start}:${blocks.end}`]
}

function listenAddresses({ host, port }: ServerSettings): Arguments {
  if (host === undefined) return [`/ip4/0.0.0.0/tcp/${port}`, `/ip6/::/tcp/${port}`]
  return [`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`]
}

function announceArguments(reach: Reach): Arguments {
  switch (reach.kind) {
    case 'auto':
      return []
    case 'direct':
      return ['--no_auto_relay']
    case 'announced':
      return ['--announce_maddrs', ...reach.addresses]
    case 'relay':
      return ['--announce_maddrs', `${reach.address}/p2p-circuit`]
  }
}

/** Returns the settings for which `run_server` has no flags. */
function p2pArguments(reach: Reach, host: string | undefined): Arguments {
  const options = { ...relayOptions(reach), ...loopbackOptions(host) }
  return Object.keys(options).length === 0 ? [] : ['--p2p', JSON.stringify(options)]
}

/** Without these, a server that can't be dialled needs minutes to find that out from peers on the internet. */
const relayOptions = (reach: Reach): object =>
  reach.kind === 'relay'
    ? {
        reachable_via_relay: true,
        force_reachability: 'private',
        no_listen: true,
        trusted_relays: [reach.address],
      }
    : {}

/** A server that only this machine can reach must not ask the router to open a port (UPnP, NAT-PMP). */
const loopbackOptions = (host: string | undefined): object =>
  host !== undefined && /^(127\.|::1$)/.test(host) ? { nat_port_map: false } : {}
