/** Flags of `petals-chat contribute`, as commander reads them. Those that the program also has apply to the Petals server. */
export const contributeFlags: readonly (readonly [flag: string, summary: string])[] = [
  [
    '--swarm <addresses>',
    'addresses of its peers, separated by commas; public; or new, which starts a swarm (default: as configured)',
  ],
  [
    '--blocks <which>',
    'how many (12), or which (4:8 is blocks 4 to 7); default: as many as fit, where the swarm needs them',
  ],
  ['--quantization <type>', 'none, int8 or nf4; default: nf4 on an NVIDIA GPU'],
  ['--dtype <type>', 'auto, float32, float16 or bfloat16; default: float32 on a CPU, else as in the model'],
  ['--device <device>', 'cpu, cuda, cuda:1 or mps; default: the first usable GPU'],
  ['--cache-tokens <number>', 'capacity of the cache of each block, in tokens of all clients together'],
  ['--adapters <repos>', 'LoRA adapters of the Hub to load, separated by commas'],
  ['--dht-prefix <prefix>', 'name of the model in the swarm; default: derived from its repository or folder'],
  ['--public-name <name>', 'name to show in the swarm'],
  ['--port <number>', 'TCP port to listen on; default: 31337 if it is free'],
  ['--host <address>', 'address to listen on; default: all addresses of this machine'],
  ['--public-ip <address>', 'public address at which --port of this machine is reachable (port forwarding)'],
  [
    '--announce <addresses>',
    'addresses to announce instead of the detected ones, as multiaddrs, separated by commas',
  ],
  [
    '--relay <how>',
    'auto (use a relay if this machine is not reachable directly), off, or the address of the only relay to use',
  ],
  [
    '--identity <file>',
    "file with the server's identity, which is part of its address; default: one file for each port",
  ],
  [
    '--environment <folder>',
    'Python environment to use unchanged; created there if the folder does not exist',
  ],
  ['--dry-run', 'check everything and show what would be done, without doing it'],
  ['--verbose', "show the server's own output"],
]

export const contributeExamples = `
HF_TOKEN is needed for models whose licence must be accepted on the Hub. Telemetry of the Python libraries is off.

Examples:
  petals-chat contribute petals-team/StableBeluga2 --public-name "my gaming PC"
  petals-chat contribute ./my-model --swarm new
  petals-chat contribute ./my-model --swarm /ip4/192.0.2.7/tcp/31337/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44 --blocks 4:8
  petals-chat contribute petals-team/StableBeluga2 --port 31337 --public-ip 203.0.113.7
  petals-chat contribute ./my-model --swarm new --device cpu --blocks 2 --dry-run`
