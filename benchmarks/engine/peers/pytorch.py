"""PyTorch's side of the engine benchmarks: one JSON command a line on stdin, one JSON answer a line on stdout.

    {"do": "load", "weights": PATH, "batch": PATH, "threads": N}
    {"do": "forward", "attention": "sdpa" | "plain", "lora": false}     loss of the batch, without gradients
    {"do": "step" | "lora", "attention": …, "optimizer": "fused" | "foreach" | "loop"}   one training step
        "frozen": N leaves the embeddings and the N lowest layers as they are; "cuts": [{"from", "to", "width"}, …] takes the
        batch in parts of these rows and columns and adds up their gradients
    {"do": "decode", "attention": …, "tokens": 256, "start": WORD}      greedy, one row, from an empty cache
    {"do": "gradients", "attention": …, "lora": false, "out": PATH}     every gradient, as a safetensors file
    {"do": "threads", "threads": N} | {"do": "stop"}

`"compiled": true` runs forward, step and lora through torch.compile; the first call of each takes half a minute.

`step` and `lora` change the weights; the first of them after `load` or after the other, or with another optimizer,
starts from the file again, as does "reset": true. Options: lr 1e-4, weightDecay 0.01, clip 1 (global norm), loraScale 2.
Every answer has ms (wall), cpuMs (all threads) and, in MB, peakMb (largest resident set so far), anonMb (memory of its
own now) and gpuLibrariesMb (resident pages of CUDA's libraries: a build for CPUs only would not have them).
An answer with `error` leaves the process in use.
"""

import functools
import json
import sys
import time

import model
import torch

OPTIMIZERS = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}
state = {"p": None, "batch": None, "paths": None, "mode": None, "optimizer": None, "trained": None}


def load(command):
    state["paths"] = (command["weights"], command["batch"])
    torch.set_num_threads(command.get("threads", 1))
    start_again(None)
    return {"torch": torch.__version__, "blas": blas(), "cpu": torch.backends.cpu.get_cpu_capability()}


def blas():
    return next((line.strip(" -") for line in torch.__config__.show().splitlines() if "Math Kernel" in line), "no MKL")


def start_again(mode, options=None):
    """Weights from the file; `mode` says what is trained."""
    state.update(p=None, batch=None, optimizer=None, trained=None)  # frees the old ones first
    state["p"], state["batch"] = model.read(state["paths"][0]), model.read(state["paths"][1])
    state["mode"] = mode
    if mode is None:
        return
    kind, optimizer = mode
    names = [n for n in state["p"] if wanted(n, kind == "lora") and not frozen(n, options.get("frozen", 0))]
    state["trained"] = [state["p"][n].requires_grad_() for n in names]
    decay = options.get("weightDecay", 0.01)
    state["optimizer"] = torch.optim.AdamW(
        state["trained"], lr=options.get("lr", 1e-4), weight_decay=decay, **OPTIMIZERS[optimizer]
    )


def wanted(name, lora):
    """Whether a weight is trained: with LoRA the updates and the head, else all but the updates."""
    return (".lora." in name or name.startswith("head.")) if lora else ".lora." not in name


def frozen(name, layers):
    """Whether a weight lies below what is trained."""
    if layers == 0:
        return False
    return name.startswith("embeddings.") or any(name.startswith(f"encoder.layer.{i}.") for i in range(layers))


@functools.cache
def compiled(kind, training):
    # One for each kind of work: torch.compile keeps a short list of variants a function.
    return torch.compile(functools.partial(model.loss, kind=kind))


def loss(command, training=False, batch=None):
    kind, lora = command.get("attention", "sdpa"), command["do"] == "lora" or command.get("lora", False)
    run = compiled(kind, training) if command.get("compiled") else functools.partial(model.loss, kind=kind)
    return run(state["p"], batch or state["batch"], lora=lora, scale=command.get("loraScale", 2.0))


def forward(command):
    with torch.inference_mode():
        return {"loss": loss(command).item()}


def step(command):
    optimizer, trained = state["optimizer"], state["trained"]
    optimizer.zero_grad(set_to_none=True)
    cuts = command.get("cuts") or [None]
    value = 0
    for cut in cuts:
        part = loss(command, training=True, batch=cut and rows(cut)) / len(cuts)
        part.backward()
        value += part.detach()
    norm = torch.nn.utils.clip_grad_norm_(trained, command.get("clip", 1.0))
    optimizer.step()
    return {"loss": value.item(), "gradientNorm": norm.item()}


def rows(cut):
    part = {name: tensor[cut["from"] : cut["to"]] for name, tensor in state["batch"].items()}
    return {name: tensor if tensor.dim() == 1 else tensor[:, : cut["width"]] for name, tensor in part.items()}


def gradients(command):
    start_again(("lora" if command.get("lora") else "step", "loop"), {})
    value = loss(command)
    value.backward()
    model.write(command["out"], {n: t.grad for n, t in state["p"].items() if t.grad is not None})
    return {"loss": value.item()}


def decode(command):
    tokens, word = command.get("tokens", 256), command.get("start", 101)
    words, times = [], []
    with torch.inference_mode():
        decoder = model.Decoder(state["p"], tokens, command.get("attention", "sdpa"))
        for at in range(tokens):
            started = time.perf_counter()
            word = decoder.next(word, at)
            times.append(round((time.perf_counter() - started) * 1e3, 3))
            words.append(word)
    # No CPU time of single tokens: other threads' is only added at the system's ticks, every few milliseconds.
    return {"words": words, "tokenMs": times}


def threads(command):
    torch.set_num_threads(command["threads"])
    return {"threads": torch.get_num_threads()}


def memory():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    mb = lambda name: round(int(status[name].split()[0]) / 1024, 1)
    libraries, counted = 0, False
    for line in open("/proc/self/smaps"):
        first = line.split(" ", 1)[0]
        if "-" in first:
            counted = any(part in line for part in ("/nvidia/", "libtorch_cuda", "libc10_cuda", "libtorch_nvshmem"))
        elif counted and first == "Rss:":
            libraries += int(line.split()[1])
    return {"peakMb": mb("VmHWM"), "anonMb": mb("RssAnon"), "gpuLibrariesMb": round(libraries / 1024, 1)}


DO = {"load": load, "forward": forward, "step": step, "lora": step, "gradients": gradients, "decode": decode, "threads": threads}

for line in sys.stdin:
    try:
        command = json.loads(line)
        if command["do"] == "stop":
            break
        mode = (command["do"], command.get("optimizer", "fused"))
        if command["do"] in ("step", "lora") and (mode != state["mode"] or command.get("reset")):
            start_again(mode, command)  # before the clock
        started, spent = time.perf_counter(), time.process_time()
        answer = DO[command["do"]](command)
        times = {"ms": (time.perf_counter() - started) * 1e3, "cpuMs": (time.process_time() - spent) * 1e3}
        answer = {**answer, **{k: round(v, 3) for k, v in times.items()}, **memory()}
    except Exception as error:  # the harness decides; the process stays
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
