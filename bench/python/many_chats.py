"""The Python client of Petals with several chats at once, each in a thread, as in the original web application.

    many_chats.py MODEL_FOLDER DHT_PREFIX INITIAL_PEER...

Answers `{"ready": seconds}` first, then one line for each request:
    {"prompts": [[...], ...], "newTokens": n, "maxLength": m}
      ->  {"chats": [{"ids": [...], "firstTokenSeconds": s, "endSeconds": s, "servers": []}, ...]}
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

started = time.time()
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "packages", "contribute", "python"))
import petals_compat  # noqa: E402, F401  (must come before petals)
import torch  # noqa: E402
from petals import AutoDistributedModelForCausalLM  # noqa: E402


def chat(model, ids, request, begin):
    prompt = torch.tensor([ids])
    with torch.inference_mode(), model.inference_session(max_length=request["maxLength"]) as session:
        # Like the original web application: one call of `generate` for each token.
        output = model.generate(prompt, max_new_tokens=1, do_sample=False, session=session)
        first = time.perf_counter()
        tokens = [int(output[0, -1])]
        for _ in range(request["newTokens"] - 1):
            output = model.generate(None, max_new_tokens=1, do_sample=False, session=session)
            tokens.append(int(output[0, -1]))
        end = time.perf_counter()
    return dict(ids=tokens, firstTokenSeconds=first - begin, endSeconds=end - begin, servers=[])


def main():
    folder, prefix, *peers = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    model = AutoDistributedModelForCausalLM.from_pretrained(
        folder, initial_peers=peers, dht_prefix=prefix, torch_dtype=torch.float32
    )
    # No token ends an answer, so that every answer has its full length; and no penalty of the model changes the choice.
    model.generation_config.update(eos_token_id=None, pad_token_id=0, repetition_penalty=1.0)
    print(json.dumps(dict(ready=time.time() - started)), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        begin = time.perf_counter()
        with ThreadPoolExecutor(len(request["prompts"])) as pool:
            chats = list(pool.map(lambda ids: chat(model, ids, request, begin), request["prompts"]))
        print(json.dumps(dict(chats=chats)), file=answers)
    os._exit(0)


if __name__ == "__main__":
    main()
