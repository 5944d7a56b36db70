#!/usr/bin/env bash
# Installs what building and testing MPT needs on Debian 12: packages, libonnx, and with
# --python a virtual environment for the tests. Does nothing where nothing is missing.
#
#   scripts/setup.sh [--python] [--asan] [--examples] [--no-apt]
#
# --asan         also the runtime of the sanitizers
# --examples     also the texts and sounds that examples/ and scripts/train_families.py train on
#
# MPT_DEPS_DIR   where libonnx is installed (default: build/deps)
# MPT_PYTHON     the Python that fetches sources and makes .venv (default: /usr/bin/python3)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

want_python=0
want_apt=1
want_asan=0
want_examples=0
for arg in "$@"; do
  case $arg in
    --python) want_python=1 ;;
    --asan) want_asan=1 ;;
    --examples) want_examples=1 ;;
    --no-apt) want_apt=0 ;;
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup.sh: unknown option '$arg'; see scripts/setup.sh --help" >&2; exit 1 ;;
  esac
done

say() { printf '[setup] %s\n' "$*"; }
die() { printf '[setup] error: %s\n' "$*" >&2; exit 1; }

# Runs a command with its output in a log; shows the end of the log only on failure.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "'$*' failed; the whole output is in $log"; }
}

# ---- Debian packages -------------------------------------------------------------------
packages=(
  libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools clang-22 lld-22 clang-format-22
  cmake ninja-build ccache g++ git
  libprotobuf-dev protobuf-compiler libgtest-dev libboost-graph-dev liblemon-dev zlib1g-dev
  nlohmann-json3-dev libyaml-cpp-dev libzip-dev libmimalloc-dev
  python3 python3-venv python3-pip python3-psutil ca-certificates
  dataset-fashion-mnist libonnx-testdata
)
if [[ $want_asan -eq 1 ]]; then packages+=(libclang-rt-22-dev); fi
if [[ $want_examples -eq 1 ]]; then packages+=(jargon-text asterisk-core-sounds-en asterisk-core-sounds-en-wav); fi

install_packages() {
  command -v dpkg-query >/dev/null ||
    die "this script installs Debian packages; elsewhere install these yourself and pass --no-apt: ${packages[*]}"
  local installed missing=() p
  # dpkg-query fails when it knows nothing of one of them
  installed=" $({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true; } |
    awk '$1 == "installed" {print $2}' | tr '\n' ' ') "
  for p in "${packages[@]}"; do
    [[ $installed == *" $p "* ]] || missing+=("$p")
  done
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "Debian packages: all ${#packages[@]} are installed"
    return
  fi
  local sudo=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || die "not root and no sudo: install these packages first: ${missing[*]}"
    sudo=(sudo)
  fi
  say "Debian packages: installing ${#missing[@]} (${missing[*]})"
  local lock=(-o DPkg::Lock::Timeout=600)
  quietly "$root/build/logs/apt-update.log" "${sudo[@]}" apt-get "${lock[@]}" update
  # LLVM 22 came to Debian 12 as a security update.
  apt-cache show libmlir-22-dev >/dev/null 2>&1 ||
    die "apt does not know libmlir-22-dev: add the suite bookworm-security to /etc/apt/sources.list"
  quietly "$root/build/logs/apt-install.log" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get "${lock[@]}" install -y --no-install-recommends "${missing[@]}"
}

# ---- libonnx ---------------------------------------------------------------------------
# From the PyPI source release, because Debian's 1.12 knows only opsets up to 17. A stamp
# holds the hash of everything that decides how it is built.
build_libonnx() {
  local deps=${MPT_DEPS_DIR:-$root/build/deps}
  local requirements=$root/scripts/requirements-libonnx.txt
  # -O1: the library is dominated by schema registration, and this halves the build.
  local options=(
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG"
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_CXX_STANDARD=17
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22
    -DONNX_USE_UNITY_BUILD=ON -DONNX_BUILD_PYTHON=OFF -DONNX_USE_PROTOBUF_SHARED_LIBS=ON
    -DONNX_ML=ON -DCMAKE_INSTALL_LIBDIR=lib
  )
  local want
  want=$({ grep -v '^#' "$requirements"; printf '%s\n' "${options[@]}"; } | sha256sum | cut -d' ' -f1)
  mkdir -p "$deps"
  exec 8>"$deps/.lock" # MPT_DEPS_DIR may be shared between checkouts
  flock 8
  if [[ -e $deps/lib/cmake/ONNX/ONNXConfig.cmake && $(cat "$deps/.stamp" 2>/dev/null) == "$want" ]]; then
    say "libonnx: up to date"
    return
  fi
  local work=$deps/.work
  rm -rf "$work" "$deps/.stamp"
  mkdir -p "$work"
  say "libonnx: fetching $(grep -o '^onnx==[^ ]*' "$requirements") from PyPI"
  quietly "$work/download.log" "$python" -m pip download --disable-pip-version-check --no-deps --no-binary onnx \
    --require-hashes -r "$requirements" -d "$work"
  mkdir -p "$work/onnx"
  tar -xzf "$work"/onnx-*.tar.gz -C "$work/onnx" --strip-components=1 --exclude='*/backend/test/data/*'
  # Debian 12 has CMake 3.25, and nothing in there needs more.
  sed -i 's/^cmake_minimum_required(VERSION 3.26)/cmake_minimum_required(VERSION 3.25)/' "$work/onnx/CMakeLists.txt"
  say "libonnx: building (2 to 4 minutes the first time)"
  local launcher=()
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    export CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
  fi
  quietly "$work/configure.log" cmake -G Ninja -S "$work/onnx" -B "$work/build" "${options[@]}" "${launcher[@]}" \
    -DCMAKE_INSTALL_PREFIX="$deps" -DPython3_EXECUTABLE="$python"
  # Relative includes, so that a build in another folder hits the same entries of the compiler cache.
  find "$work/build" -path '*/Unity/*' -name '*.cxx' -exec sed -i "s#\"$work/#\"../../../../#" {} +
  quietly "$work/build.log" ninja -C "$work/build" -j "${MPT_JOBS:-2}"
  quietly "$work/install.log" ninja -C "$work/build" install
  unset CCACHE_BASEDIR CCACHE_NOHASHDIR
  rm -rf "$work"
  echo "$want" >"$deps/.stamp"
  say "libonnx: installed in ${deps#"$root"/}"
}

# ---- Python for the tests --------------------------------------------------------------
make_venv() {
  local requirements=$root/scripts/requirements-test.txt venv=$root/.venv want
  want=$({ cat "$requirements"; "$python" --version; } | sha256sum | cut -d' ' -f1)
  if [[ -x $venv/bin/python && $(cat "$venv/.stamp" 2>/dev/null) == "$want" ]]; then
    say "Python environment: up to date"
    return
  fi
  say "Python environment: installing $(grep -v '^#' "$requirements" | tr '\n' ' ')in .venv"
  rm -rf "$venv"
  quietly "$root/build/logs/venv.log" "$python" -m venv "$venv"
  quietly "$root/build/logs/pip.log" "$venv/bin/python" -m pip install --disable-pip-version-check -r "$requirements"
  echo "$want" >"$venv/.stamp"
}

python=${MPT_PYTHON:-/usr/bin/python3}
mkdir -p "$root/build"
exec 9>"$root/build/.setup.lock"
flock 9 # two scripts started at once: the second finds everything done
if [[ $want_apt -eq 1 ]]; then install_packages; fi
command -v "$python" >/dev/null || python=$(command -v python3) || die "no Python 3 found: install python3, or set MPT_PYTHON"
build_libonnx
if [[ $want_python -eq 1 ]]; then make_venv; fi
