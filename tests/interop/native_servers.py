"""Petals' own client, unmodified, on the servers of a swarm. Its argument is the folder of petals_compat.

Reads one JSON object from standard input: {model, dhtPrefix, initialPeers, inputs: [rows of hidden states], steps: [tokens]}.
Writes one JSON object with the outputs: each is a list of rows, over all positions of all steps.
"""

import faulthandler
import json
import os
import sys

sys.path.insert(0, sys.argv[1])
import petals_compat  # noqa: E402, F401
import torch  # noqa: E402
from petals import AutoDistributedConfig  # noqa: E402
from petals.client.remote_sequential import RemoteSequential


def rows(tensor):
    return tensor.reshape(-1, tensor.shape[-1]).tolist()


def in_session(remote, inputs, steps, prompts=None, orders=None, max_length=None):
    outputs, position = [], 0
    with remote.inference_session(max_length=max_length or inputs.shape[1]) as session:
        for i, tokens in enumerate(steps):
            part = inputs[:, position : position + tokens]
            order = orders[i] if orders else None
            outputs.append(session.step(part, prompts=prompts if i == 0 else None, hypo_ids=order))
            position += tokens
        route = [[str(s.span.peer_id), s.span.start, s.span.end] for s in session._server_sessions]
    return torch.cat(outputs, dim=1), route


def error_of(call):
    try:
        call()
    except Exception as error:
        return repr(error)
    return None


def main():
    # A client that hangs says where, before the test ends it.
    faulthandler.dump_traceback_later(150)
    request = json.load(sys.stdin)
    config = AutoDistributedConfig.from_pretrained(
        request["model"],
        dht_prefix=request["dhtPrefix"],
        initial_peers=request["initialPeers"],
        max_retries=1,
        min_backoff=0.1,
    )
    remote = RemoteSequential(config)
    inputs = torch.tensor([request["inputs"]])
    steps = request["steps"]
    outputs, route = in_session(remote, inputs, steps)
    result = dict(outputs=rows(outputs), route=route)

    pair = torch.cat([inputs, -inputs])
    swapped = [torch.tensor([1, 0]) if i == 1 else None for i in range(len(steps))]
    result["reordered"] = rows(in_session(remote, pair, steps, orders=swapped)[0])

    prompts = torch.arange(len(remote) * 2 * inputs.shape[-1]).reshape(len(remote), 1, 2, -1) / 1000.0
    result["prompted"] = rows(in_session(remote, inputs, steps, prompts=prompts)[0])

    with torch.no_grad():
        result["forward"] = rows(remote(inputs))
        long = inputs.repeat(1, request["repeats"], 1)
        result["longForward"] = rows(remote(long))
    trained = inputs.clone().requires_grad_(True)
    result["backwardError"] = error_of(lambda: remote(trained).sum().backward())
    result["tooLong"] = error_of(lambda: in_session(remote, inputs, steps, max_length=9000))
    json.dump(result, sys.stdout)
    sys.stdout.flush()
    # The interpreter can wait for ever for the threads and processes of hivemind; the test ends what is left of them.
    os._exit(0)


if __name__ == "__main__":
    main()
