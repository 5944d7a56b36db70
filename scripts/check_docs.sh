#!/usr/bin/env bash
# Compares the generated documentation of dialects and passes, docs/Dialects/*.md and
# docs/Passes.md, with what mlir-tblgen writes from the definitions.
#
#   scripts/check_docs.sh [--update]
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")/.."

update=0
case ${1:-} in
  --update) update=1 ;;
  '') ;;
  *) echo "check_docs.sh: unknown option '$1'" >&2; exit 1 ;;
esac
tblgen=$(command -v mlir-tblgen-22 || true)
[[ -n $tblgen ]] || tblgen=/usr/lib/llvm-22/bin/mlir-tblgen
llvm_include=$(dirname "$(dirname "$(readlink -f "$tblgen")")")/include

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/Dialects"

generate() { # generate OUT TD options...
  local out=$1 td=$2
  shift 2
  "$tblgen" "$@" -I include -I "$llvm_include" "$td" >>"$out"
}

generated=()
for td in include/mpt/Dialect/*/IR/*Ops.td; do
  dialect=$(basename "$(dirname "$(dirname "$td")")")
  # the root file, which includes those of the op families
  [[ $(basename "$td") == "${dialect}Ops.td" ]] || continue
  generate "$work/Dialects/$dialect.md" "$td" -gen-dialect-doc -dialect="${dialect,,}"
  generated+=("Dialects/$dialect.md")
done
for td in include/mpt/*/Passes.td; do
  # One page for all passes, each component under a heading of its own.
  printf '# %s\n\n' "$(basename "$(dirname "$td")")" >>"$work/Passes.md"
  generate "$work/Passes.md" "$td" -gen-pass-doc
  printf '\n' >>"$work/Passes.md"
done
if [[ -e $work/Passes.md ]]; then generated+=(Passes.md); fi
if [[ ${#generated[@]} -eq 0 ]]; then
  echo "check_docs.sh: no dialect and no pass definition found" >&2
  exit 1
fi

stale=0
for page in "${generated[@]}"; do
  if [[ $update -eq 1 ]]; then
    mkdir -p "$(dirname "docs/$page")"
    cp "$work/$page" "docs/$page"
  elif ! diff -u "docs/$page" "$work/$page" >"$work/diff" 2>&1; then
    head -n 20 "$work/diff"
    echo "docs/$page is not what the definitions say: run scripts/check_docs.sh --update and commit it"
    stale=1
  fi
done
# A page whose dialect is gone.
for page in docs/Dialects/*.md; do
  if [[ " ${generated[*]} " != *" ${page#docs/} "* ]]; then
    echo "$page belongs to no dialect: delete it"
    stale=1
  fi
done
if [[ $stale -eq 0 ]]; then echo "docs: ${#generated[@]} pages"; fi
exit "$stale"
