"""The answers of transformers on one machine: the reference for the swarm client.

Reads one JSON object from standard input: {model, prompts: [token ids], newTokens, logits: bool}.
Writes one JSON object: {answers: [{ids, lastLogits?}]}. Greedy, float32, end tokens ignored.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM

torch.set_num_threads(2)


@torch.inference_mode()
def answer(model, prompt, new_tokens, with_logits):
    ids, cache, inputs, logits = [], None, torch.tensor([prompt]), None
    for _ in range(new_tokens):
        result = model(input_ids=inputs, past_key_values=cache, use_cache=True)
        cache = result.past_key_values
        logits = result.logits[0, -1].float()
        ids.append(int(logits.argmax()))
        inputs = torch.tensor([[ids[-1]]])
    return dict(ids=ids, **(dict(lastLogits=logits.tolist()) if with_logits else {}))


def main():
    request = json.load(sys.stdin)
    model = AutoModelForCausalLM.from_pretrained(request["model"], torch_dtype=torch.float32).eval()
    answers = [answer(model, prompt, request["newTokens"], request.get("logits", False)) for prompt in request["prompts"]]
    json.dump(dict(answers=answers), sys.stdout)


if __name__ == "__main__":
    main()
