#!/usr/bin/env bash
# Sets up, configures and builds: the release preset into build/, unless told otherwise.
# A second run does only what changed.
#
#   scripts/build.sh [ninja targets...]      (default: everything)
#
# MPT_PRESET     release, dev (into build-dev/) or asan (into build-asan/)
# MPT_JOBS       parallel compile jobs (default: 2)
# MPT_DEPS_DIR   where libonnx is installed (default: build/deps)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit 0
fi

preset=${MPT_PRESET:-release}
case $preset in
  release) build=build ;;
  dev | asan) build=build-$preset ;;
  *) echo "build.sh: MPT_PRESET is release, dev or asan, not '$preset'" >&2; exit 1 ;;
esac
setup=()
if [[ $preset == asan ]]; then setup=(--asan); fi
if [[ -z ${MPT_SETUP_DONE:-} ]]; then ./scripts/setup.sh "${setup[@]}"; fi
mkdir -p "$build/logs"
export MPT_DEPS_DIR=${MPT_DEPS_DIR:-$PWD/build/deps}

# Ninja reruns CMake by itself when a listed file changed; the stamp covers what it cannot
# see: a build folder that was never configured, and another preset or dependency folder.
want=$({ cat CMakePresets.json; echo "$MPT_DEPS_DIR"; } | sha256sum | cut -d' ' -f1)
if [[ ! -e $build/build.ninja || $(cat "$build/.configured" 2>/dev/null) != "$want" ]]; then
  echo "[build] configuring"
  if ! cmake --preset "$preset" -DMPT_DEPS_DIR="$MPT_DEPS_DIR" >"$build/logs/configure.log" 2>&1; then
    tail -n 40 "$build/logs/configure.log" >&2
    echo "[build] error: CMake failed; the whole output is in $build/logs/configure.log" >&2
    exit 1
  fi
  echo "$want" >"$build/.configured"
fi

echo "[build] compiling (minutes the first time, nothing when nothing changed)"
# One rewritten status line on a terminal; elsewhere every 50th step, and every message.
start=$SECONDS
if [[ -t 1 ]]; then
  NINJA_STATUS='[build] %f/%t ' ninja -C "$build" -j "${MPT_JOBS:-2}" "$@"
else
  NINJA_STATUS='[build] %f/%t ' ninja -C "$build" -j "${MPT_JOBS:-2}" "$@" |
    awk '/^\[build\] [0-9]+\/[0-9]+ / { split($2, n, "/"); if (n[1] % 50 && n[1] != n[2]) next } /^ninja: Entering/ { next } { print; fflush() }'
fi
echo "[build] done in $((SECONDS - start)) s"
