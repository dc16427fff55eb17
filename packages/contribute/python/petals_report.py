"""Tells the process that started a server what it answers: lines `@petals-chat {json}` on standard output.

`{"session": 1}` and `{"session": -1}`: a client opened or closed a session. `{"prompt": n, "generated": m}`: tokens since
the last line; those that came several at a time are of a prompt, those that came alone were generated.
"""

import json
import os
import time

INTERVAL = 0.5


def write(event: dict) -> None:
    # One write, so that lines of several processes do not mix.
    os.write(1, f"@petals-chat {json.dumps(event)}\n".encode())


class Counter:
    """Counts the tokens of one connection handler, which is a process of its own."""

    def __init__(self) -> None:
        self.prompt = self.generated = 0
        self.told = 0.0

    def add(self, batch: int, length: int) -> None:
        if length == 1:
            self.generated += batch
        else:
            self.prompt += batch * length
        if time.monotonic() - self.told >= INTERVAL:
            self.tell()

    def tell(self) -> None:
        if self.prompt or self.generated:
            write({"prompt": self.prompt, "generated": self.generated})
        self.prompt = self.generated = 0
        self.told = time.monotonic()


def report() -> None:
    """Counts what passes `iterate_rpc_inference`, which runs once for each session."""
    from petals.server import handler

    iterate = handler.iterate_rpc_inference
    counter = Counter()

    async def counted(*args, **kwargs):
        write({"session": 1})
        try:
            async for outputs, can_push in iterate(*args, **kwargs):
                batch, length, *_ = outputs[0].size
                counter.add(batch, length)
                yield outputs, can_push
        finally:
            counter.tell()
            write({"session": -1})

    handler.iterate_rpc_inference = counted
