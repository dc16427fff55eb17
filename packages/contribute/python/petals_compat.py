"""Makes petals 2.2.0 importable with hivemind 1.1.12, which no longer re-exports names that petals imports from it.

Import this before anything of petals.
"""

import importlib

import hivemind

MODULES = [
    "hivemind.p2p",
    "hivemind.p2p.p2p_daemon",
    "hivemind.utils",
    "hivemind.utils.timed_storage",
    "hivemind.utils.serializer",
    "hivemind.utils.tensor_descr",
    "hivemind.utils.nested",
    "hivemind.utils.asyncio",
    "hivemind.utils.logging",
    "hivemind.utils.mpfuture",
    "hivemind.utils.streaming",
    "hivemind.compression",
    "hivemind.compression.serialization",
    "hivemind.dht",
    "hivemind.dht.node",
    "hivemind.dht.routing",
    "hivemind.moe",
    "hivemind.moe.client",
    "hivemind.moe.expert_uid",
    "hivemind.moe.server",
    "hivemind.moe.server.module_backend",
    "hivemind.moe.server.runtime",
]


def _copy_missing(source, target):
    for name in dir(source):
        if not name.startswith("_") and not hasattr(target, name):
            setattr(target, name, getattr(source, name))


for _module in MODULES:
    _copy_missing(importlib.import_module(_module), hivemind)
for _module in ["hivemind.utils", "hivemind.dht", "hivemind.compression", "hivemind.p2p"]:
    _copy_missing(hivemind, importlib.import_module(_module))
