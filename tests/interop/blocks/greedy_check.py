"""Reads `{"prompt": [...], "answer": [...]}` lines, and prints for each how many ids of the answer are those of transformers' greedy answer.

    greedy_check.py MODEL

One pass over prompt and answer shows it: each id must be the most probable one after those before it.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], torch_dtype=torch.float32).eval()
for line in sys.stdin:
    prompt, answer = json.loads(line).values()
    with torch.no_grad():
        logits = model(torch.tensor([prompt + answer[:-1]])).logits[0, len(prompt) - 1 :]
    equal = (logits.argmax(-1) == torch.tensor(answer)).tolist() + [False]
    print(json.dumps(equal.index(False)), flush=True)
