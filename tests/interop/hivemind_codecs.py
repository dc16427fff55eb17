"""What hivemind makes of tensors, values and records, to compare with this client's codecs.

Reads {seed, tensors: number of tensors to encode, values: number of values to encode, encoded: [base64 of Tensor messages],
packed: [base64 of msgpack], keys: [text]}. Writes
{tensors: [{message, restored}], values: [{packed: base64, meaning}], records: [{value, entries: [[subkey, base64, expiration]]}],
restored: [{dtype, shape, data}], repacked: [{packed: base64, meaning}], ids: [hex]}.
The meaning of a value is its tree of types and contents, in which 1 and 1.0 are one number, and tuples are lists.
"""

import base64
import json
import pathlib
import random
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "swarm" / "python"))
output, sys.stdout = sys.stdout, sys.stderr  # bitsandbytes prints that it finds no GPU

import hivemind.compression.base
import numpy as np
import old_bitsandbytes  # noqa: F401
import torch
from hivemind.compression import deserialize_torch_tensor, serialize_torch_tensor
from hivemind.dht.node import DHTID
from hivemind.dht.storage import DictionaryDHTValue
from hivemind.proto.runtime_pb2 import Tensor
from hivemind.utils import MSGPackSerializer

hivemind.compression.base.USE_LEGACY_BFLOAT16 = False  # as Petals sets it


def text(data):
    return base64.b64encode(data).decode()


def raw(tensor):
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).contiguous().numpy().tobytes()


request = json.load(sys.stdin)
random.seed(request["seed"])
torch.manual_seed(request["seed"])
torch.set_num_threads(1)

# Each compression takes floats only; MEANSTD_16BIT and FLOAT16 refuse bfloat16, all but NONE refuse integers.
kinds = [(dtype, c) for dtype in (torch.float32, torch.float16) for c in range(6)]
kinds += [(torch.bfloat16, c) for c in (0, 3, 4, 5)] + [(torch.int64, 0)]


def shape():
    if random.random() < 0.02:
        return [1, 1, random.choice([4095, 4096, 4097, 9000])]
    dimensions = random.choice([1, 2, 3, 3, 3, 4])
    return [random.choice([1, 1, 2, 3, 7]) for _ in range(dimensions - 1)] + [random.choice([2, 3, 16, 64])]


def tensor(dtype):
    size = shape()
    if dtype == torch.int64:
        return torch.randint(-(2**62), 2**62, size)
    values = torch.randn(*size) * 10 ** random.uniform(-4, 4) + random.choice([0, 0, 5, -300])
    if random.random() < 0.2:
        values.view(-1)[random.randrange(values.numel())] = random.choice([0.0, -0.0, 65504.0, 1e-8, -7e4, 3e38])
    return values.clamp(-65504, 65504).to(dtype) if dtype == torch.float16 else values.to(dtype)


# Scalars, tensors without values, many dimensions, and values that are no ordinary numbers. Only these two compressions take them.
odd = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-45, 6e-8, 65504.0, 65519.0, 65520.0, -1e30, 3.4e38]
specials = [
    (torch.tensor(values, dtype=torch.float32).reshape(size).to(dtype), compression)
    for dtype, compression in [(torch.float32, 0), (torch.float32, 2), (torch.float16, 0), (torch.float16, 2), (torch.bfloat16, 0)]
    for values, size in [(odd, [12]), (odd, [1, 3, 1, 2, 2, 1]), ([0.1], []), ([], [0]), ([], [2, 0, 16])]
]
specials += [(torch.tensor(v), 0) for v in ([-(2**63), -1, 0, 2**63 - 1], 7)] + [(torch.zeros([0], dtype=torch.int64), 0)]


def both(tensor, compression):
    message = serialize_torch_tensor(tensor, compression)
    return dict(message=text(message.SerializeToString()), restored=text(raw(deserialize_torch_tensor(message))))


tensors = [both(*each) for each in specials]
while len(tensors) < request["tensors"]:
    dtype, compression = random.choice(kinds)
    tensors.append(both(tensor(dtype), compression))


def value(depth=0):
    leaves = [
        lambda: None,
        lambda: random.random() < 0.5,
        lambda: random.choice([0, 1, -1, 127, 128, -32, -33, 255, 256, 2**16, 2**31, -(2**31), 2**32, 2**53 - 1, -(2**53) + 1]),
        lambda: random.uniform(-1e9, 1e9) + 0.5,
        lambda: random.choice([0.0, 1.0, float("inf"), -float("inf"), 1e308]),
        lambda: "".join(random.choice("aZ0 .é漢😀\0") for _ in range(random.choice([0, 3, 31, 32, 255, 256]))),
        lambda: random.randbytes(random.choice([0, 1, 255, 256, 70000 if random.random() < 0.01 else 4])),
    ]
    branches = [
        lambda: [value(depth + 1) for _ in range(random.choice([0, 1, 4, 16]))],
        lambda: tuple(value(depth + 1) for _ in range(random.choice([0, 1, 3]))),
        lambda: {f"k{i}": value(depth + 1) for i in range(random.choice([0, 1, 16]))},
    ]
    return random.choice(leaves + (branches if depth < 3 else []))()


def meaning(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return ["number", struct.pack(">d", value).hex()]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, (list, tuple)):
        return ["list", *map(meaning, value)]
    return ["map", *([meaning(key), meaning(each)] for key, each in value.items())]


def pack(value):
    return dict(packed=text(MSGPackSerializer.dumps(value)), meaning=meaning(value))


def record():
    dictionary = DictionaryDHTValue()
    for i in range(random.choice([1, 2, 20])):
        dictionary.store(f"peer{i}", MSGPackSerializer.dumps(value()), 2e9 + random.random() * 1000)
    entries = [[key, text(item.value), item.expiration_time] for key, item in dictionary.data.items()]
    return dict(value=text(MSGPackSerializer.dumps(dictionary)), entries=entries)


def restore(encoded):
    message = Tensor()
    message.ParseFromString(base64.b64decode(encoded))
    tensor = deserialize_torch_tensor(message)
    return dict(dtype=str(tensor.dtype).replace("torch.", ""), shape=list(tensor.shape), data=text(raw(tensor)))


json.dump(
    dict(
        tensors=tensors,
        values=[pack(value()) for _ in range(request["values"])],
        records=[record() for _ in range(request["values"] // 10)],
        restored=[restore(each) for each in request["encoded"]],
        repacked=[pack(MSGPackSerializer.loads(base64.b64decode(each))) for each in request["packed"]],
        ids=[DHTID.generate(source=key).to_bytes().hex() for key in request["keys"]],
    ),
    output,
)
