#!/usr/bin/env bash
# Runs a Python script with PyTorch, transformers and torchvision; makes build/export-venv for it the first time.
#
#   scripts/torch.sh scripts/export_models.py build/models
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wanted=$root/scripts/requirements-export.txt
venv=$root/build/export-venv
hash=$(sha256sum "$wanted" | cut -d' ' -f1)
if [[ $(cat "$venv/.stamp" 2>/dev/null) != "$hash" ]]; then
  echo "[torch] installing PyTorch and transformers into build/export-venv" >&2
  rm -rf "$venv"
  "${MPT_PYTHON:-/usr/bin/python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --disable-pip-version-check -q -U 'pip>=25'
  "$venv/bin/python" -m pip install --disable-pip-version-check -q -r "$wanted"
  echo "$hash" >"$venv/.stamp"
fi
exec "$venv/bin/python" "$@"
