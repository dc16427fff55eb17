/** Flags of `petals-chat contribute`, as commander reads them. Those that the program also has apply to the server of blocks. */
export const contributeFlags: readonly (readonly [flag: string, summary: string])[] = [
  [
    '--swarm <addresses>',
    'addresses of its peers, separated by commas; public; or new, which starts a swarm (default: as configured)',
  ],
  [
    '--blocks <which>',
    'how many (12), or which (4:8 is blocks 4 to 7); default: auto, as many as fit, where the swarm needs them',
  ],
  [
    '--engine <which>',
    'native (llama.cpp, needs no Python) or python (Petals itself); default: native where it can do what is asked',
  ],
  [
    '--quantization <type>',
    'none, q8_0 or q4_k; int8 or nf4 with Python on an NVIDIA GPU; default: as in the files',
  ],
  [
    '--dtype <type>',
    'auto (as in the files), float32, float16 or bfloat16, for weights that are not quantized',
  ],
  ['--device <device>', 'auto, cpu, cuda (cuda:1 is the second GPU), metal or vulkan; default: auto'],
  [
    '--memory <amount>',
    'the most memory for blocks and their caches, such as 8GB; default: most of what is free',
  ],
  [
    '--threads <number>',
    'the most threads that compute on the CPU; default: the cores, one less while others use them',
  ],
  [
    '--network-speed <bits>',
    'bits per second of the slower direction, such as 50Mbit; default: measured by sending to servers of the swarm',
  ],
  ['--cache-tokens <number>', 'capacity of the cache of each block, in tokens of all clients together'],
  ['--adapters <repos>', 'LoRA adapters of the Hub to load, separated by commas (with Python)'],
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
    'with Python: the environment to use unchanged; created there if the folder does not exist',
  ],
  ['--dry-run', 'check everything and show what would be done, without doing it'],
  ['--verbose', "show the server's own output"],
]

export const contributeExamples = `
HF_TOKEN is needed for models whose licence must be accepted on the Hub.

Examples:
  petals-chat contribute petals-team/StableBeluga2 --public-name "my gaming PC"
  petals-chat contribute ./my-model --swarm new
  petals-chat contribute ./my-model --swarm /ip4/192.0.2.7/tcp/31337/p2p/QmcXhze98AcgGQDDYna23s4Jho96n8wkwLJv78vxtFNq44 --blocks 4:8
  petals-chat contribute petals-team/StableBeluga2 --port 31337 --public-ip 203.0.113.7
  petals-chat contribute ./my-model --swarm new --quantization q8_0 --memory 8GB
  petals-chat contribute ./my-model --swarm new --device cpu --blocks 2 --dry-run
  petals-chat contribute ./my-model --swarm new --engine python --dry-run`
