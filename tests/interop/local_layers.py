"""The client's own layers by transformers, as float32 files: what goes into the first block, what leaves the last one, the logits.

Reads {model: folder, prompts: [[token ids]], out: folder}; writes OUT/embeddings, OUT/hidden and OUT/logits, all
positions of all prompts one after another, and to standard output what transformers' warpers leave of every 6th position:
{topK: [[ids]], topP: [[[ids]], ...]}.
"""

import json
import os
import sys

import torch
from transformers import AutoModelForCausalLM
from transformers.generation.logits_process import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

FILTERED_EVERY = 6
TOP_K = 40
TOP_P = [(0.6, 0.9), (1.0, 0.95)]

torch.set_num_threads(2)


def kept(warpers, logits):
    for warper in warpers:
        logits = warper(None, logits)
    return [row.isfinite().nonzero().flatten().tolist() for row in logits]


@torch.inference_mode()
def main():
    request = json.load(sys.stdin)
    model = AutoModelForCausalLM.from_pretrained(request["model"], torch_dtype=torch.float32).eval()
    base = model.base_model
    blocks = base.layers if hasattr(base, "layers") else base.h
    norm = base.norm if hasattr(base, "norm") else base.ln_f
    parts = dict(embeddings=[], hidden=[], logits=[])
    blocks[0].register_forward_pre_hook(
        lambda _, args, kwargs: parts["embeddings"].append((args or (kwargs["hidden_states"],))[0][0].clone()),
        with_kwargs=True,
    )
    norm.register_forward_hook(lambda _, args, __: parts["hidden"].append(args[0][0].clone()))
    for prompt in request["prompts"]:
        parts["logits"].append(model(input_ids=torch.tensor([prompt])).logits[0].float())
    for name, values in parts.items():
        torch.cat(values).numpy().astype("<f4").tofile(os.path.join(request["out"], name))
    logits = torch.cat(parts["logits"])[::FILTERED_EVERY]
    top_p = [kept([TemperatureLogitsWarper(t), TopPLogitsWarper(p)], logits) for t, p in TOP_P]
    json.dump(dict(topK=kept([TopKLogitsWarper(TOP_K)], logits), topP=top_p), sys.stdout)


main()
