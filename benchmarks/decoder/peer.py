"""PyTorch's side of the decoder benchmark: the commands of side.ts, one JSON a line, and the same answers.

`open` takes {"folder", "threads", "dtype": "float32" | "bfloat16"}: a model folder in float32. Written as one who knows PyTorch
would: weights in a dict, functional operations, keys and values of all positions allocated once and filled in place.
"""

import json
import pathlib
import struct
import sys
import time

import torch
import torch.nn.functional as F

state = {}


def read(path, dtype):
    """All tensors of a safetensors file in float32; linear maps turned to [O, I], which `F.linear` reads."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        tensors = {}
        for name, entry in header.items():
            file.seek(8 + length + entry["data_offsets"][0])
            tensor = torch.empty(entry["shape"])
            file.readinto(memoryview(tensor.numpy()).cast("B"))
            tensor = tensor.to(dtype)
            tensors[name] = tensor.t().contiguous() if name.endswith(".weight") else tensor
    return tensors


def open_model(command):
    torch.set_num_threads(command["threads"])
    folder = pathlib.Path(command["folder"])
    config = json.loads((folder / "config.json").read_text())["decoder"]
    dtype = getattr(torch, command.get("dtype", "float32"))
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    state.update(
        p=read(folder / "base.safetensors", dtype),
        dtype=dtype,
        config=config,
        heads=config["num_attention_heads"],
        key_heads=config["num_key_value_heads"],
        frequencies=config["rope_theta"] ** (-torch.arange(0, width, 2) / width),
    )
    return {"engine": f"PyTorch {torch.__version__}, {command['threads']} threads"}


def rms(x, weight):
    return F.rms_norm(x, x.shape[-1:], weight, state["config"]["rms_norm_eps"])


def rotate(x, at):
    """x [H, T, K] at positions from `at`."""
    angles = torch.arange(at, at + x.shape[1])[:, None] * state["frequencies"]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Cache:
    def __init__(self, room):
        width = 2 * len(state["frequencies"])
        self.keys = torch.zeros(state["config"]["num_hidden_layers"], state["key_heads"], room, width, dtype=state["dtype"])
        self.values = torch.zeros_like(self.keys)
        self.length = 0


def decode(ids, cache):
    """States [T, D] of new tokens behind those of the cache, after the last norm."""
    p, at, T = state["p"], cache.length, len(ids)
    end = at + T
    x = F.embedding(torch.tensor(ids), p["words"])
    for i in range(state["config"]["num_hidden_layers"]):
        get = lambda name: p.get(f"layers.{i}.{name}")
        apply = lambda y, name: F.linear(y, get(f"{name}.weight"), get(f"{name}.bias"))
        y = rms(x, get("attention.norm"))

        def heads(name, count, norm):
            split = apply(y, f"attention.{name}").view(T, count, -1)
            return (rms(split, norm) if norm is not None else split).transpose(0, 1)

        query = rotate(heads("query", state["heads"], get("attention.queryNorm")), at)
        cache.keys[i, :, at:end] = rotate(heads("key", state["key_heads"], get("attention.keyNorm")), at)
        cache.values[i, :, at:end] = heads("value", state["key_heads"], None)
        known = [part[i, :, :end].unsqueeze(0) for part in (cache.keys, cache.values)]
        causal = at == 0 and T > 1
        mixed = F.scaled_dot_product_attention(query.unsqueeze(0), *known, is_causal=causal, enable_gqa=True)
        x = x + apply(mixed.squeeze(0).transpose(0, 1).reshape(T, -1), "attention.output")
        z = rms(x, get("feedForward.norm"))
        x = x + apply(F.silu(apply(z, "feedForward.gate")) * apply(z, "feedForward.up"), "feedForward.down")
    cache.length = end
    return rms(x, p["norm"])


def logits(states):
    return F.linear(states, state["p"].get("head", state["p"]["words"]))


def generate(command):
    tokens, answers, prompt, rest = command["tokens"], [], 0, 0
    for ids in command["prompts"]:
        started = time.perf_counter()
        cache = Cache(len(ids) + tokens)
        answer = [int(logits(decode(ids, cache)[-1]).argmax())]
        first = time.perf_counter()
        while len(answer) < tokens:
            answer.append(int(logits(decode(answer[-1:], cache)[-1]).argmax()))
        prompt, rest = prompt + first - started, rest + time.perf_counter() - first
        answers.append(answer)
    count = len(answers)
    return {"ids": answers, "promptMs": 1e3 * prompt / count, "tokenMs": 1e3 * rest / count / max(1, tokens - 1)}


def memory(_):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    mb = lambda name: round(int(status[name].split()[0]) / 1024)
    return {"peakMb": mb("VmHWM"), "ownMb": mb("RssAnon"), "fileMb": mb("RssFile")}


def write_logits(command):
    with open(command["file"], "ab") as file:
        file.write(logits(decode(command["ids"], Cache(len(command["ids"])))).float().numpy().tobytes())
    return {}


DO = {"open": open_model, "generate": generate, "memory": memory, "logits": write_logits}
with torch.inference_mode():
    for line in sys.stdin:
        try:
            command = json.loads(line)
            started, spent = time.perf_counter(), time.process_time()
            answer = DO[command["do"]](command)
            times = {"ms": (time.perf_counter() - started) * 1e3, "cpuMs": (time.process_time() - spent) * 1e3}
            answer = {**times, **answer}
        except Exception as error:  # the harness decides; the process stays
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
