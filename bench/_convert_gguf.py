"""Converts a ModelOpt NVFP4 checkpoint of MiniMax-M2 to GGUF with llama.cpp's own converter; LLAMA_CPP names its source folder.

That converter lacks three things (llama.cpp of llama-cpp-python 0.3.36), which the subclass below adds:
- its NVFP4 path doesn't know MiniMax's names of experts (w1, w2, w3);
- it recognizes tokenizers by a hash, and not the bundled model's, which splits text as MiniMax-M2's does;
- its graph of MiniMax-M2 never multiplies by a tensor's second scale, so the second scale is multiplied into the block scales and rounded to
  E4M3. The model keeps its size and its spread over the experts: its speed can be compared, its answers can't.
"""
import os
import pathlib
import sys

import numpy
import torch

SOURCE = pathlib.Path(os.environ["LLAMA_CPP"])
sys.path[:0] = [str(SOURCE), str(SOURCE / "gguf-py")]
import convert_hf_to_gguf as converter  # noqa: E402  (found through the path above)
import gguf  # noqa: E402
from conversion.base import LazyTorchTensor  # noqa: E402
from conversion.minimax import MiniMaxM2Model  # noqa: E402

PROJECTIONS = {"w1": "gate", "w2": "down", "w3": "up"}
SMALLEST, LARGEST = 2.0 ** -9, 448.0  # what E4M3 can hold besides zero


class NvfpMiniMax(MiniMaxM2Model):
    model_arch = MiniMaxM2Model.model_arch  # the base class wants it in each subclass itself

    def _taken(self, name):
        return LazyTorchTensor.to_eager(self.model_tensors.pop(name)())

    def _packed_expert(self, prefix):
        scale = self._taken(prefix + ".weight_scale").float() * self._taken(prefix + ".weight_scale_2").float()
        self.model_tensors.pop(prefix + ".input_scale", None)
        blocks = scale.clamp(SMALLEST, LARGEST).to(torch.float8_e4m3fn)
        return self._nvfp4_pack(self._taken(prefix + ".weight"), blocks)[0]

    def _generate_nvfp4_tensors(self):
        for layer in range(self.block_count):
            for stored, role in PROJECTIONS.items():
                base = f"model.layers.{layer}.block_sparse_moe.experts"
                experts = [self._packed_expert(f"{base}.{e}.{stored}") for e in range(self.hparams["num_local_experts"])]
                self.gguf_writer.add_tensor(f"blk.{layer}.ffn_{role}_exps.weight", numpy.stack(experts), raw_dtype=gguf.GGMLQuantizationType.NVFP4)

    def get_vocab_base_pre(self, tokenizer):
        return "minimax-m2"


converter.get_model_class = lambda *_, **__: NvfpMiniMax
converter.main()
