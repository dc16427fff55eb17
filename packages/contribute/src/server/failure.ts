import type { ServerExit } from './petals-process.ts'

/** Why a server ended, for the user. */
export interface ServerFailure {
  /** The reason and the remedy. */
  readonly message: string
  /** True if the reason may be temporary: then the server is restarted. */
  readonly passing: boolean
}

interface Rule extends ServerFailure {
  readonly pattern: RegExp
}

const rule = (pattern: RegExp, message: string, passing = false): Rule => ({ pattern, message, passing })

const lessMemory =
  'Hold fewer blocks (--blocks N), store them in 4 bits (--quantization nf4), or make their caches smaller (--cache-tokens N).'

/** Rules for messages of Petals 2.2.0, PyTorch, hivemind and the Hub's library. The first rule that matches is used. */
const rules: readonly Rule[] = [
  rule(
    /CUDA out of memory|OutOfMemoryError|CUBLAS_STATUS_ALLOC_FAILED/,
    `The GPU's memory is full. Close other programs that use it. ${lessMemory}`,
  ),
  rule(
    /does not have enough memory to serve at least one block/,
    `The GPU's memory does not hold a single block of this model. ${lessMemory}`,
  ),
  rule(
    /no kernel image is available|not compiled with CUDA|CUDA driver version is insufficient|Found no NVIDIA driver|Torch not compiled|libcudart|libcublas/i,
    "The server's PyTorch can't use this GPU. Install NVIDIA's driver 525 or newer; on a machine without a usable GPU, use --device cpu.",
  ),
  rule(
    /CUDA error: (?!out of memory)|device-side assert|GPU is lost|Xid/,
    'The GPU reported an error. If it occurs again, check its temperature and the kernel log (dmesg).',
    true,
  ),
  rule(
    /address already in use|bind: permission denied|failed to listen on any addresses/i,
    'The port is used by another program, or this user may not use it. Choose another one with --port N.',
  ),
  rule(
    /gated repo|GatedRepo|401 Client Error|403 Client Error|is not authorized|make sure to (?:have access|pass a token)/i,
    'The model is gated: accept its licence on its page at the Hub, create a token there (Settings, Access Tokens), and set the environment variable HF_TOKEN to it.',
  ),
  rule(
    /RepositoryNotFoundError|404 Client Error|is not a valid model identifier|EntryNotFoundError/,
    'The Hub has no such model, or HF_TOKEN may not read it. Check the name: owner/repository.',
  ),
  rule(
    /does not contain weights in a supported format/,
    'The model has no weights in the format of transformers (safetensors or pytorch_model.bin). GGUF files are for the local engine: petals-chat --model.',
  ),
  rule(
    /No space left on device|Insufficient disk space|ENOSPC/i,
    'The disk is full. Free some space; blocks that Petals downloaded are in ~/.cache/petals.',
  ),
  rule(
    /local time must be within/,
    "This machine's clock differs from the swarm's by more than 3 seconds. Synchronize it with NTP (timedatectl set-ntp true).",
  ),
  rule(
    /has not become reachable from the Internet/,
    'Other peers cannot reach this machine. Forward a TCP port of the router to it, and set both: --port 31337 --public-ip ADDRESS. The swarm can also relay: omit both and try again.',
  ),
  rule(
    /failed to connect to bootstrap peers|failed to dial|no known initial peers|None of the initial peers|P2PDaemonError|Daemon failed to start|initial_peers/i,
    'No peer of the swarm can be reached. Check the addresses of --swarm, that one of these servers is running, and the firewalls in between.',
    true,
  ),
  rule(
    /Max retries exceeded|ConnectionError|name resolution|Name or service not known|NewConnectionError|Network is unreachable|ReadTimeout|ConnectTimeout|outgoing traffic has been disabled|LocalEntryNotFoundError/i,
    "The model's files can't be downloaded: the network or the Hub can't be reached. Check the connection and the proxy (HTTPS_PROXY).",
    true,
  ),
  rule(
    /Some block weights are missing|not found in the index|not in state dict/,
    "The model's weights do not include a block. Check --blocks against the number of the model's blocks, and the files of a local folder.",
  ),
  rule(
    /doesn't have safetensors inside|Can't find 'adapter_config|adapter_config\.json does not exist/,
    'An adapter of --adapters has no safetensors weights. Petals takes LoRA adapters of the Hub with adapter_model.safetensors.',
  ),
  rule(
    /KeyError: '?\w+'?$|Unsupported model type|`rope_scaling` must be/m,
    'Petals 2.2.0 does not support this kind of model. It serves Llama (1 to 3), Falcon and BLOOM.',
  ),
  rule(
    /DefaultCPUAllocator|MemoryError|Cannot allocate memory/,
    `The machine's memory is full. Close other programs. ${lessMemory}`,
  ),
  rule(
    /ModuleNotFoundError|ImportError|cannot open shared object file/,
    'The Python environment is damaged. Delete its folder and run the command again to make a new one.',
  ),
  rule(
    /unrecognized arguments|argument --\w+: |error: argument/,
    'Petals does not accept one of the arguments; the log names it.',
  ),
]

/** Explains the end of a server. `known` is false if no rule matches its output. */
export function describeExit({
  code,
  signal,
  lastLines,
}: ServerExit): ServerFailure & { readonly known: boolean } {
  const text = lastLines.join('\n')
  const found = rules.find(({ pattern }) => pattern.test(text))
  if (found !== undefined) return { message: found.message, passing: found.passing, known: true }
  if (signal === 'SIGKILL' || code === 137) {
    const message = `The system ended the server, most often because the machine's memory was full. ${lessMemory}`
    return { message, passing: true, known: true }
  }
  const last = lastLines.findLast((line) => /^\w*(Error|Exception)\b/.test(line)) ?? lastLines.at(-1)
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`
  return { message: `The server ended ${how}${last ? `: ${last}` : '.'}`, passing: true, known: false }
}
