"""Lets hivemind 1.1.12 compress with bitsandbytes 0.41.1. Import it before hivemind compresses; it needs no call."""

import bitsandbytes.functional

# hivemind 1.1.12 wants the quantization state of a newer bitsandbytes as an object; 0.41.1 gives the same as a list.
quantize, dequantize = bitsandbytes.functional.quantize_blockwise, bitsandbytes.functional.dequantize_blockwise


class QuantState:
    def __init__(self, fields):
        self.absmax, self.code, self.blocksize, self.nested, self.dtype, self.offset, self.state2 = fields


def quantize_blockwise(*args, **kwargs):
    quantized, state = quantize(*args, **kwargs)
    return quantized, QuantState(state)


def dequantize_blockwise(quantized, absmax, code, blocksize, nested):
    return dequantize(quantized, absmax=absmax, code=code, blocksize=blocksize)


bitsandbytes.functional.quantize_blockwise = quantize_blockwise
bitsandbytes.functional.dequantize_blockwise = dequantize_blockwise
