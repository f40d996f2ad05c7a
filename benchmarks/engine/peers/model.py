"""The benchmark's transformer in plain PyTorch: BERT's encoder, and the same layers as a causal decoder.

Written as one who knows PyTorch would: weights in a dict of tensors with Hugging Face's names, functional operations.
L layers of width D with H heads of width K over B rows of T tokens; FFN wide in between; V words.
"""

import json
import math
import struct

import torch
import torch.nn.functional as F

HEADS = 12
EPS = 1e-12
DTYPES = {"F32": torch.float32, "F16": torch.float16, "I32": torch.int32, "I64": torch.int64}
# LoRA's names of a layer's linear maps, and where BERT keeps them.
ATTENTION = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
}


def read(path):
    """All tensors of a safetensors file; halves become float32. Read, not mapped: the pages would count as memory twice."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            file.seek(8 + length + begin)
            tensor = torch.empty(entry["shape"], dtype=DTYPES[entry["dtype"]])
            if file.readinto(memoryview(tensor.numpy()).cast("B")) != end - begin:
                raise ValueError(f"{path}: {name} is cut short")
            tensors[name] = tensor.float() if tensor.dtype == torch.float16 else tensor
    return tensors


def write(path, tensors):
    """Float32 tensors as a safetensors file."""
    header, at = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + tensor.numel() * 4]}
        at += tensor.numel() * 4
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.detach().float().contiguous().numpy().tobytes())


def layers(p):
    return 1 + max(int(name.split(".")[2]) for name in p if name.startswith("encoder.layer."))


def linear(p, name, x):
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def norm(p, name, x):
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], EPS)


def projection(p, layer, part, x, lora, scale):
    y = linear(p, f"encoder.layer.{layer}.{ATTENTION[part]}", x)
    if not lora:
        return y
    a, b = p[f"layer.{layer}.{part}.lora.a"], p[f"layer.{layer}.{part}.lora.b"]
    # One matrix product that also scales and adds: saves two passes over y.
    return torch.addmm(y.flatten(0, -2), x.flatten(0, -2) @ a, b, alpha=scale).view_as(y)


def attend(q, k, v, bias, kind):
    """q [B, H, T, K], k and v [B, H, S, K], bias None or broadcast to [B, H, T, S]; returns q's shape."""
    if kind == "sdpa":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
    return torch.softmax(scores if bias is None else scores + bias, -1) @ v


def feed_forward(p, layer, x):
    name = f"encoder.layer.{layer}"
    h = linear(p, f"{name}.output.dense", F.gelu(linear(p, f"{name}.intermediate.dense", x)))
    return norm(p, f"{name}.output.LayerNorm", x + h)


def embed(p, ids, start=0):
    """ids [B, T] at positions from `start`; returns [B, T, D]."""
    positions = p["embeddings.position_embeddings.weight"][start : start + ids.shape[1]]
    types = p["embeddings.token_type_embeddings.weight"][0]
    x = F.embedding(ids, p["embeddings.word_embeddings.weight"]) + (positions + types)
    return norm(p, "embeddings.LayerNorm", x)


def encode(p, ids, mask, kind, lora=False, scale=2.0):
    """ids int [B, T], mask float [B, T], 1 where a token is; returns [B, T, D]."""
    rows, tokens = ids.shape
    bias = ((mask - 1) * 1e9)[:, None, None, :]
    x = embed(p, ids)
    for layer in range(layers(p)):
        heads = lambda part: projection(p, layer, part, x, lora, scale).view(rows, tokens, HEADS, -1).transpose(1, 2)
        mixed = attend(heads("query"), heads("key"), heads("value"), bias, kind).transpose(1, 2).reshape(x.shape)
        mixed = projection(p, layer, "output", mixed, lora, scale)
        x = norm(p, f"encoder.layer.{layer}.attention.output.LayerNorm", x + mixed)
        x = feed_forward(p, layer, x)
    return x


def loss(p, batch, kind, lora=False, scale=2.0):
    """Cross-entropy in nats of `head` on the mean over each row's tokens."""
    mask = batch["mask"]
    x = encode(p, batch["ids"], mask, kind, lora, scale)
    pooled = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return F.cross_entropy(linear(p, "head", pooled), batch["labels"].long())


class Decoder:
    """Greedy decoding of one row; keys and values of all `room` positions are allocated once and filled in place."""

    def __init__(self, p, room, kind):
        self.p, self.kind, self.layers = p, kind, layers(p)
        self.words = p["embeddings.word_embeddings.weight"]
        width = self.words.shape[1] // HEADS
        self.keys = torch.zeros(self.layers, 1, HEADS, room, width)
        self.values = torch.zeros_like(self.keys)

    def next(self, token, at):
        """The most probable word after `token` at position `at`; its logits are those of the tied head."""
        p = self.p
        x = embed(p, torch.tensor([[token]]), at)
        for layer in range(self.layers):
            heads = lambda part: projection(p, layer, part, x, False, 0).view(1, HEADS, 1, -1)
            self.keys[layer, :, :, at : at + 1] = heads("key")
            self.values[layer, :, :, at : at + 1] = heads("value")
            known = slice(0, at + 1)
            mixed = attend(heads("query"), self.keys[layer, :, :, known], self.values[layer, :, :, known], None, self.kind)
            mixed = projection(p, layer, "output", mixed.reshape(x.shape), False, 0)
            x = norm(p, f"encoder.layer.{layer}.attention.output.LayerNorm", x + mixed)
            x = feed_forward(p, layer, x)
        return int(F.linear(x[0, 0], self.words).argmax())
