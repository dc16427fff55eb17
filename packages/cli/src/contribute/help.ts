/** Flags of `petals-chat contribute`, as commander reads them. Those that the program has, too, mean the server here. */
export const contributeFlags: readonly (readonly [flag: string, summary: string])[] = [
  [
    '--swarm <addresses>',
    'addresses of its peers, split at commas; public; or new, which starts one (default: as configured)',
  ],
  [
    '--blocks <which>',
    'how many (12), or which (4:8 is blocks 4 to 7); left out: what fits, where the swarm needs it',
  ],
  ['--quantization <type>', 'none, int8, nf4; left out: nf4 on an NVIDIA GPU'],
  ['--dtype <type>', 'auto, float32, float16, bfloat16; left out: float32 on a CPU, else as the model'],
  ['--device <device>', 'cpu, cuda, cuda:1, mps; left out: the first usable GPU'],
  ['--cache-tokens <number>', 'tokens that the caches of all clients hold together, in each block'],
  ['--adapters <repos>', 'LoRA adapters of the Hub to load, split at commas'],
  [
    '--dht-prefix <prefix>',
    'name of the model in the swarm; left out: derived from its repository or folder',
  ],
  ['--public-name <name>', 'name to show in the swarm'],
  ['--port <number>', 'TCP port to listen on; left out: 31337 if it is free'],
  ['--host <address>', 'address to listen on; left out: all of this machine'],
  ['--public-ip <address>', 'address by which the internet reaches --port of this machine (port forwarding)'],
  ['--announce <addresses>', 'addresses to announce in place of those found, as multiaddrs, split at commas'],
  [
    '--relay <how>',
    'auto (by a relay where nothing else leads here), off, or the address of the only relay to use',
  ],
  [
    '--identity <file>',
    "file with the server's identity, which is part of its address; left out: one for each port",
  ],
  ['--environment <folder>', 'Python environment to use as it is; made there if the folder does not exist'],
  ['--dry-run', 'check everything, say what would be done, and do nothing'],
  ['--verbose', "show the server's own output"],
]

export const contributeExamples = `
HF_TOKEN is needed for models whose licence has to be accepted at the Hub. Telemetry of the Python libraries is off.

Examples:
  petals-chat contribute petals-team/StableBeluga2 --public-name "my gaming PC"
  petals-chat contribute ./my-model --swarm new
  petals-chat contribute ./my-model --swarm /ip4/192.0.2.7/tcp/31337/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44 --blocks 4:8
  petals-chat contribute petals-team/StableBeluga2 --port 31337 --public-ip 203.0.113.7
  petals-chat contribute ./my-model --swarm new --device cpu --blocks 2 --dry-run`
