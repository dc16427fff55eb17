"""What transformers' processors and warpers leave of some logits.

Reads {cases: [{logits: [...], history: [...], repetitionPenalty, temperature, topK?, topP?}]}; writes
{cases: [{kept: [ids], probabilities: [...]}]}, the probabilities those of the ids that are kept.
"""

import json
import sys

import torch
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)


def leave(case):
    steps = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(float(case["repetitionPenalty"]))])
    steps.append(TemperatureLogitsWarper(float(case["temperature"])))
    if case.get("topK") is not None:
        steps.append(TopKLogitsWarper(case["topK"]))
    if case.get("topP") is not None:
        steps.append(TopPLogitsWarper(case["topP"]))
    scores = steps(torch.tensor([case["history"]]), torch.tensor([case["logits"]], dtype=torch.float32))[0]
    kept = scores.isfinite().nonzero().flatten()
    return dict(kept=kept.tolist(), probabilities=scores.softmax(-1)[kept].tolist())


json.dump(dict(cases=[leave(case) for case in json.load(sys.stdin)["cases"]]), sys.stdout)
