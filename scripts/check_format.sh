#!/usr/bin/env bash
# Checks that the C++ files under version control are formatted as .clang-format says.
#
#   scripts/check_format.sh [--fix] [FILES...]      (default: all tracked .cpp and .h)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(--dry-run -Werror)
if [[ ${1:-} == --fix ]]; then
  mode=(-i)
  shift
fi
if [[ $# -gt 0 ]]; then
  files=("$@")
else
  mapfile -t files < <(git ls-files -- '*.cpp' '*.h' | while read -r f; do if [[ -e $f ]]; then echo "$f"; fi; done)
fi
if [[ ${#files[@]} -eq 0 ]]; then
  echo "check_format.sh: no C++ file found" >&2
  exit 1
fi
# Many findings in one file are one problem: it was not formatted.
if ! output=$(printf '%s\0' "${files[@]}" | xargs -0 -P 2 -n 40 clang-format-22 --style=file "${mode[@]}" 2>&1); then
  sed -n 's/:[0-9]*:[0-9]*: error: .*/: not formatted/p' <<<"$output" | sort -u
  grep -E '(error|warning): ' <<<"$output" | grep -v 'code should be clang-formatted' || true
  echo "run scripts/check_format.sh --fix"
  exit 1
fi
echo "format: ${#files[@]} files"
