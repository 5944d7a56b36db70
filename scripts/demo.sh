#!/usr/bin/env bash
# Trains examples/cnn.onnx on Fashion-MNIST twice, in FP32 and in FP16 mixed precision with
# dynamic loss scaling, from the same seed, and prints the two side by side. Sets up and
# builds first what is missing.
#
#   scripts/demo.sh [--epochs N] [--threads N]
#
# Results: build/demo/{fp32,fp16}.{html,jsonl,json,safetensors}; the .html files show the curves.
# The exit status is 0 only if both reach 88 % test accuracy, differ by at most 0.5 points, and
# FP16 needs at most 0.6 times the activation bytes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

epochs=3
extra=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --epochs) epochs=${2:?demo.sh: --epochs needs a number}; shift ;;
    --threads) extra+=(--threads "${2:?demo.sh: --threads needs a number}"); shift ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo.sh: unknown argument '$1'; see scripts/demo.sh --help" >&2; exit 1 ;;
  esac
  shift
done

./scripts/setup.sh
MPT_SETUP_DONE=1 ./scripts/build.sh mpt-train

data=/usr/share/datasets/fashion-mnist
if [[ ! -d $data ]]; then
  echo "demo.sh: $data is missing: install the package dataset-fashion-mnist" >&2
  exit 1
fi
out=build/demo
mkdir -p "$out"

train() { # train PRECISION LOSS_SCALE
  local precision=$1 loss_scale=$2
  echo
  echo "[demo] training examples/cnn.onnx in $precision, $epochs epochs of 60,000 images"
  rm -f "$out/$precision".*
  # The growth interval is usually 2000 steps; the run is short, and the scale should be seen to move.
  build/bin/mpt-train examples/cnn.onnx --dim batch=128 --data "$data" \
    --loss 'cross_entropy(logits, labels)' --optimizer 'sgd(lr=0.02, momentum=0.9)' --lr-schedule linear \
    --precision "$precision" --loss-scale "$loss_scale" --growth-interval 300 --epochs "$epochs" --seed 1 "${extra[@]}" \
    --log "$out/$precision.jsonl" --report "$out/$precision.html" --save "$out/$precision.safetensors" \
    --summary "$out/$precision.json" --checkpoint "$out/$precision.checkpoint.safetensors"
}

start=$SECONDS
train fp32 off
train fp16 dynamic
echo
python3 scripts/demo_table.py "$out/fp32.json" "$out/fp16.json" && status=0 || status=$?
echo
echo "[demo] both trainings took $((SECONDS - start)) s; curves: $out/fp32.html and $out/fp16.html"
exit "$status"
