"""Petals' own client, unmodified, on chosen servers of a swarm. Its argument is the folder of petals_compat.

Reads one JSON object from standard input: {model, dhtPrefix, initialPeers, chains: [[peer ids]], prompts: [[ids]], newTokens}.
Writes {expected: [the greedy answer of transformers to each prompt], chains: [for each chain {ids: [answers], route: [[peer id,
start, end]]}]}.
"""

import faulthandler
import json
import os
import sys

sys.path.insert(0, sys.argv[1])
import petals_compat  # noqa: E402, F401
import torch  # noqa: E402
from petals import AutoDistributedModelForCausalLM  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402


# No token ends an answer, so that every answer has its full length; and no penalty of the model changes the choice.
settings = dict(eos_token_id=None, pad_token_id=0, repetition_penalty=1.0)


def expected(request):
    model = AutoModelForCausalLM.from_pretrained(request["model"], torch_dtype=torch.float32)
    model.generation_config.update(**settings)
    with torch.inference_mode():
        return [
            model.generate(torch.tensor([prompt]), max_new_tokens=request["newTokens"], do_sample=False)[0, len(prompt) :].tolist()
            for prompt in request["prompts"]
        ]


def answers(request, servers):
    model = AutoDistributedModelForCausalLM.from_pretrained(
        request["model"],
        dht_prefix=request["dhtPrefix"],
        initial_peers=request["initialPeers"],
        allowed_servers=servers,
        max_retries=1,
        torch_dtype=torch.float32,
    )
    model.generation_config.update(**settings)
    ids = []
    for prompt in request["prompts"]:
        tokens, count = torch.tensor([prompt]), request["newTokens"]
        with torch.inference_mode(), model.inference_session(max_length=len(prompt) + count) as session:
            output = model.generate(tokens, max_new_tokens=count, do_sample=False, session=session)
            ids.append(output[0, len(prompt) :].tolist())
            route = [[str(s.span.peer_id), s.span.start, s.span.end] for s in session._server_sessions]
    return dict(ids=ids, route=route)


def main():
    # A client that hangs says where, before the test ends it.
    faulthandler.dump_traceback_later(150)
    request = json.load(sys.stdin)
    chains = [answers(request, servers) for servers in request["chains"]]
    json.dump(dict(expected=expected(request), chains=chains), sys.stdout)
    sys.stdout.flush()
    # The interpreter can wait for ever for the threads and processes of hivemind; the test ends what is left of them.
    os._exit(0)


if __name__ == "__main__":
    main()
