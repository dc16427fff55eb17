"""torch as a peer of bench/lm-head.ts: multiplies a random matrix with a vector for each JSON line of its input.

    matvec.py ROWS COLUMNS FILE

Writes the matrix, normal with variance 1 / COLUMNS, to FILE in bfloat16 and answers {"torch": version}; then for
{"dtype": "float32" | "bfloat16", "threads": n, "input": [...]}: {"ms": one product and its argmax, "token": the argmax}.
"""

import json
import sys
import time

import torch

rows, columns, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.manual_seed(rows)
bfloat16 = (torch.randn(rows, columns) / columns**0.5).to(torch.bfloat16)
bfloat16.view(torch.int16).numpy().tofile(path)
weights = dict(bfloat16=bfloat16, float32=bfloat16.float())
print(json.dumps(dict(torch=torch.__version__)), flush=True)

with torch.inference_mode():
    for line in sys.stdin:
        request = json.loads(line)
        torch.set_num_threads(request["threads"])
        weight = weights[request["dtype"]]
        vector = torch.tensor([request["input"]]).to(weight.dtype)
        begin = time.perf_counter()
        token = int(torch.nn.functional.linear(vector, weight).argmax())
        print(json.dumps(dict(ms=(time.perf_counter() - begin) * 1000, token=token)), flush=True)
