#!/usr/bin/env bash
# Installs the peers of the engine benchmarks into benchmarks/engine/.peers (ignored by git), about 5 GB:
#   bash benchmarks/engine/peers/setup.sh [FOLDER]
# FOLDER is all-MiniLM-L6-v2 as Hugging Face lays it out; default: ../shared/models/all-MiniLM-L6-v2 beside the repository.
# Needs Linux x86-64, Python 3.11 or later, npm. Downloads about 2.6 GB from PyPI and npm. Run again, it does what is left.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=${1:-$here/../../../../shared/models/all-MiniLM-L6-v2}
peers=$here/../.peers
mkdir -p "$peers"
peers=$(cd "$peers" && pwd)
echo '*' >"$peers/.gitignore"

# Each part's stamp is a copy of what it was made from.
if ! cmp -s "$here/requirements.txt" "$peers/venv/requirements.txt"; then
  rm -rf "$peers/venv"
  "${PYTHON:-python3}" -m venv "$peers/venv"
  "$peers/venv/bin/pip" install --quiet --no-cache-dir --no-deps -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$peers/venv/requirements.txt"
fi

transformers=4.3.1
if ! grep -qs "\"version\": \"$transformers\"" "$peers/node_modules/@huggingface/transformers/package.json"; then
  # Scripts would download CUDA's libraries for ONNX Runtime; its binary for CPUs is in the package.
  echo '{ "private": true }' >"$peers/package.json"
  npm install --prefix "$peers" --ignore-scripts --no-audit --no-fund --silent --save-exact "@huggingface/transformers@$transformers"
fi

model=$peers/models/all-MiniLM-L6-v2
if [ "$here/export.py" -nt "$model/onnx/model.onnx" ] || [ "$here/model.py" -nt "$model/onnx/model.onnx" ]; then
  "$peers/venv/bin/python" -W ignore "$here/export.py" "$source" "$model"
fi

"$peers/venv/bin/python" - "$peers" <<'PYTHON'
import json, pathlib, platform, sys
import torch

peers = pathlib.Path(sys.argv[1])
npm = lambda name: json.loads((peers / "node_modules" / name / "package.json").read_text())["version"]
versions = {
    "python": platform.python_version(),
    "torch": torch.__version__,
    "torchBlas": next((l.strip(" -") for l in torch.__config__.show().splitlines() if "Math Kernel" in l), "no MKL"),
    "torchCpu": torch.backends.cpu.get_cpu_capability(),
    "transformers.js": npm("@huggingface/transformers"),
    "transformers.js onnxruntime-node": npm("onnxruntime-node"),
}
(peers / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
PYTHON
cat "$peers/versions.json"
