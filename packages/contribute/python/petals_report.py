"""Reports what a server answers to the process that started it: lines `@petals-chat {json}` on standard output.

`{"session": 1}` and `{"session": -1}`: a client opened or closed a session. `{"prompt": n, "generated": m}`: tokens since
the last line. Tokens that arrived together are from a prompt; single tokens were generated.
"""

import json
import os
import time

INTERVAL = 0.5


def write(event: dict) -> None:
    # A single write, so that lines of several processes do not mix.
    os.write(1, f"@petals-chat {json.dumps(event)}\n".encode())


class Counter:
    """Counts the tokens of one connection handler, which runs in its own process."""

    def __init__(self) -> None:
        self.prompt = self.generated = 0
        self.reported_at = 0.0

    def add(self, batch: int, length: int) -> None:
        if length == 1:
            self.generated += batch
        else:
            self.prompt += batch * length
        if time.monotonic() - self.reported_at >= INTERVAL:
            self.flush()

    def flush(self) -> None:
        if self.prompt or self.generated:
            write({"prompt": self.prompt, "generated": self.generated})
        self.prompt = self.generated = 0
        self.reported_at = time.monotonic()


def report() -> None:
    """Counts the tokens of `iterate_rpc_inference`, which runs once for each session."""
    from petals.server import handler

    iterate = handler.iterate_rpc_inference
    counter = Counter()

    async def counted(*args, **kwargs):
        write({"session": 1})
        try:
            async for outputs, *rest in iterate(*args, **kwargs):
                batch, length, *_ = outputs[0].size
                counter.add(batch, length)
                yield outputs, *rest
        finally:
            counter.flush()
            write({"session": -1})

    handler.iterate_rpc_inference = counted
