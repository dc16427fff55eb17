"""The Python client of Petals as a peer of the benchmarks: answers each JSON line of its standard input.

    petals_client.py MODEL_FOLDER DHT_PREFIX INITIAL_PEER...

Answers `{"ready": seconds}` first (imports and loading), then one line for each request. One answer:
    {"ids": [...], "newTokens": n, "maxLength": m}  ->  {"ids": [...], "firstTokenSeconds": s, "decodeSeconds": s}
Several chats at once, each in a thread, as in the original web application; times count from the request:
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


def generate(model, ids, request):
    """Returns the tokens of an answer, and when the first and the last one were there."""
    prompt = torch.tensor([ids])
    with torch.inference_mode(), model.inference_session(max_length=request["maxLength"]) as session:
        # Like the original web application: one call of `generate` for each token.
        output = model.generate(prompt, max_new_tokens=1, do_sample=False, session=session)
        first = time.perf_counter()
        tokens = [int(output[0, -1])]
        for _ in range(request["newTokens"] - 1):
            output = model.generate(None, max_new_tokens=1, do_sample=False, session=session)
            tokens.append(int(output[0, -1]))
        return tokens, first, time.perf_counter()


def answer_one(model, request):
    begin = time.perf_counter()
    ids, first, end = generate(model, request["ids"], request)
    return dict(ids=ids, firstTokenSeconds=first - begin, decodeSeconds=end - first)


def answer_many(model, request):
    begin = time.perf_counter()

    def chat(prompt):
        ids, first, end = generate(model, prompt, request)
        return dict(ids=ids, firstTokenSeconds=first - begin, endSeconds=end - begin, servers=[])

    with ThreadPoolExecutor(len(request["prompts"])) as pool:
        return dict(chats=list(pool.map(chat, request["prompts"])))


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
        answer = answer_many if "prompts" in request else answer_one
        print(json.dumps(answer(model, request)), file=answers)
    os._exit(0)


if __name__ == "__main__":
    main()
