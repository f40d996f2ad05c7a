"""Makes the folder Transformers.js loads: BERT's encoder as ONNX in float32, as Hugging Face's own export writes it.

    python export.py SOURCE TARGET      SOURCE has config.json, tokenizer.json, tokenizer_config.json, model.safetensors
"""

import json
import pathlib
import shutil
import sys

import model
import torch


class Bert(torch.nn.Module):
    """Inputs and output of Hugging Face's BertModel, with its operations in its order: ONNX Runtime looks for these."""

    def __init__(self, weights, heads):
        super().__init__()
        self.heads, self.layers = heads, model.layers(weights)
        self.width = weights["embeddings.word_embeddings.weight"].shape[1]  # a number, not a traced shape
        for name, tensor in weights.items():
            self.register_buffer(name.replace(".", "_"), tensor)

    def weight(self, name):
        return getattr(self, name.replace(".", "_"))

    def linear(self, name, x):
        return torch.nn.functional.linear(x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"))

    def norm(self, name, x):
        weight, bias = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return torch.nn.functional.layer_norm(x, (self.width,), weight, bias, model.EPS)

    def forward(self, input_ids, attention_mask, token_type_ids):
        embedding = torch.nn.functional.embedding
        table = lambda kind: self.weight(f"embeddings.{kind}_embeddings.weight")
        bias = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        positions = torch.arange(512).unsqueeze(0)[:, : input_ids.shape[1]]
        x = embedding(input_ids, table("word")) + embedding(token_type_ids, table("token_type"))
        x = self.norm("embeddings.LayerNorm", x + embedding(positions, table("position")))
        width = self.width // self.heads
        for i in range(self.layers):
            name = f"encoder.layer.{i}"
            split = lambda y: y.view(y.shape[0], y.shape[1], self.heads, width).permute(0, 2, 1, 3)
            q = split(self.linear(f"{name}.attention.self.query", x))
            k = split(self.linear(f"{name}.attention.self.key", x))
            v = split(self.linear(f"{name}.attention.self.value", x))
            scores = torch.matmul(q, k.transpose(-1, -2)) / width**0.5 + bias
            y = torch.matmul(torch.softmax(scores, -1), v).permute(0, 2, 1, 3).contiguous()
            y = y.view(y.shape[0], y.shape[1], self.width)
            x = self.norm(f"{name}.attention.output.LayerNorm", self.linear(f"{name}.attention.output.dense", y) + x)
            y = torch.nn.functional.gelu(self.linear(f"{name}.intermediate.dense", x))
            x = self.norm(f"{name}.output.LayerNorm", self.linear(f"{name}.output.dense", y) + x)
        return x


def main(source, target):
    (target / "onnx").mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, target / name)
    config = json.loads((source / "config.json").read_text())
    weights = {n: t for n, t in model.read(source / "model.safetensors").items() if t.is_floating_point()}
    weights = {n: t for n, t in weights.items() if not n.startswith("pooler.")}
    module = Bert(weights, config["num_attention_heads"]).eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in [*names, "last_hidden_state"]}
    ids = torch.tensor([[101, 2023, 2003, 102], [101, 2023, 102, 0]])
    torch.onnx.export(
        module,
        (ids, (ids > 0).long(), torch.zeros_like(ids)),
        str(target / "onnx" / "model.onnx"),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes=axes,
        opset_version=14,
        dynamo=False,
    )


main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
