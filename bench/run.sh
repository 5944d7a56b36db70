#!/usr/bin/env bash
# Times our training step beside PyTorch's on this machine. Installs PyTorch into
# build/bench-venv the first time. Arguments go to bench/train_step.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./scripts/setup.sh
MPT_SETUP_DONE=1 ./scripts/build.sh mpt-train
venv=build/bench-venv
want=$(sha256sum bench/requirements.txt | cut -d' ' -f1)
if [[ $(cat "$venv/.stamp" 2>/dev/null) != "$want" ]]; then
  echo "[bench] installing PyTorch into $venv"
  rm -rf "$venv"
  "${MPT_PYTHON:-/usr/bin/python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install --disable-pip-version-check -q -r bench/requirements.txt
  echo "$want" >"$venv/.stamp"
fi
exec "$venv/bin/python" bench/train_step.py "$@"
