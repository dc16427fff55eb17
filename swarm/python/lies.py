"""Makes a Petals server compute something else than its blocks when the file PETALS_LIE_FILE says so. For tests.

The file holds one of these lines, or nothing, and is read at every step:
  scale 1.05    multiplies its outputs
  shift 0.01    adds so much of their root mean square to all of them
  noise 0.05    adds noise of so much of their root mean square
  layers        runs its blocks in the reverse order (from the next session on)
  stale         repeats its first output of the session, with a little noise
"""

import os


def read_lie() -> list:
    try:
        with open(os.environ["PETALS_LIE_FILE"]) as file:
            return file.read().split() or [""]
    except FileNotFoundError:
        return [""]


def lie_about(outputs, first):
    import torch

    kind, *amount = read_lie()
    size = outputs.float().square().mean(dim=-1, keepdim=True).sqrt()
    if kind == "scale":
        return outputs * float(amount[0])
    if kind == "shift":
        return outputs + (size * float(amount[0])).to(outputs.dtype)
    if kind == "noise":
        return outputs + (torch.randn_like(outputs) * size * float(amount[0])).to(outputs.dtype)
    if kind == "stale" and first is not None:
        # The very same bytes would be noticed at once.
        return first[:, -1:] * (1 + 1e-3 * torch.rand(outputs.shape[:2] + (1,))).to(outputs.dtype)
    return outputs


def install() -> None:
    from hivemind.compression.serialization import deserialize_torch_tensor, serialize_torch_tensor
    from petals.server import handler

    honest = handler.iterate_rpc_inference

    async def iterate_rpc_inference(**arguments):
        if read_lie()[0] == "layers":
            for name in ("requested_uids", "requested_backends", "cache_handles"):
                arguments[name] = tuple(reversed(arguments[name]))
        first = None
        async for tensors, *rest in honest(**arguments):
            outputs = deserialize_torch_tensor(tensors[0])
            if outputs.numel() > 0 and read_lie()[0] != "":
                lie = lie_about(outputs, first)
                tensors = [serialize_torch_tensor(lie, tensors[0].compression), *tensors[1:]]
            if outputs.numel() > 0 and first is None:
                first = outputs
            yield tensors, *rest

    handler.iterate_rpc_inference = iterate_rpc_inference
