"""torch as a peer of bench/blocks.ts: the first blocks of a Llama model by transformers, in float32.

    block_span.py MODEL BLOCKS THREADS

Answers {"torch": version}, then for {"tokens": n, "context": n, "repeat": n}: {"ms": median wall time, "cpuMs": CPU time of
one}, of a step of so many tokens after so many others.
"""

import json
import statistics
import sys
import time

import torch
from transformers import AutoModelForCausalLM

torch.set_num_threads(int(sys.argv[3]))
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], torch_dtype=torch.float32).model.eval()
model.layers = model.layers[: int(sys.argv[2])]
model.norm = torch.nn.Identity()
hidden = model.config.hidden_size
print(json.dumps(dict(torch=torch.__version__)), flush=True)

with torch.inference_mode():
    for line in sys.stdin:
        request = json.loads(line)
        past = None
        if request["context"]:
            past = model(inputs_embeds=torch.randn(1, request["context"], hidden), use_cache=True).past_key_values
        states = torch.randn(1, request["tokens"], hidden)
        walls, cpu = [], time.process_time()
        for _ in range(request["repeat"]):
            begin = time.perf_counter()
            model(inputs_embeds=states, past_key_values=past, use_cache=True)
            walls.append((time.perf_counter() - begin) * 1000)
        cpu_ms = (time.process_time() - cpu) * 1000 / request["repeat"]
        print(json.dumps(dict(ms=statistics.median(walls), cpuMs=cpu_ms)), flush=True)
