#!/usr/bin/env bash
# Sets up, builds and runs all tests: the checks on the source tree, the unit tests and the
# lit tests. The last line is 'N passed, N failed'; the exit status is 0 only for 0 failed.
#
#   scripts/test.sh [--filter REGEX] [--no-build] [--preset NAME] [checks] [unit] [lit]
#
# --filter     only tests (and checks) whose name matches
# --no-build   run on what is built
# --preset     release (default), dev, or asan: AddressSanitizer and UBSan, without the checks
# MPT_JOBS     parallel compile jobs and test workers (default: 2)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

filter=
build=1
preset=release
suites=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --filter) filter=${2:?test.sh: --filter needs a regular expression}; shift ;;
    --no-build) build=0 ;;
    --preset) preset=${2:?test.sh: --preset needs release, dev or asan}; shift ;;
    checks | unit | lit) suites+=("$1") ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown argument '$1'; see scripts/test.sh --help" >&2; exit 1 ;;
  esac
  shift
done
if [[ ${#suites[@]} -eq 0 ]]; then
  # The checks are about the sources: one build is enough for them.
  if [[ $preset == release ]]; then suites=(checks unit lit); else suites=(unit lit); fi
fi
case $preset in
  release) folder=build setup=(--python) ;;
  dev) folder=build-dev setup=(--python) ;;
  asan)
    folder=build-asan setup=(--python --asan)
    # libMLIR is not instrumented: containers it filled look overflowed, what it takes from an
    # allocator that our code poisoned looks poisoned, and what it keeps to the end of the
    # process looks leaked.
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
    ;;
  *) echo "test.sh: --preset is release, dev or asan, not '$preset'" >&2; exit 1 ;;
esac
wants() { [[ " ${suites[*]} " == *" $1 "* ]]; }

if [[ $build -eq 1 ]]; then
  ./scripts/setup.sh "${setup[@]}"
  MPT_SETUP_DONE=1 MPT_PRESET=$preset ./scripts/build.sh all MPTUnitTests
fi
mkdir -p "$folder/logs"

passed=0 failed=0 skipped=0
start=$SECONDS

run_check() { # run_check NAME COMMAND...
  local name=$1
  shift
  if [[ -n $filter && ! $name =~ $filter ]]; then return; fi
  local output
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "[test] check $name: $(tail -n 1 <<<"$output")"
  else
    failed=$((failed + 1))
    printf '[test] check %s: FAILED\n%s\n' "$name" "$output"
  fi
}

run_lit() { # run_lit NAME TESTS
  local name=$1 tests=$2 results=$folder/logs/$1.json began=$SECONDS
  local options=(-j "${MPT_JOBS:-2}" -v --output "$results")
  if [[ -t 1 ]]; then options+=(--succinct); else options+=(--succinct --no-progress-bar); fi
  if [[ -n $filter ]]; then options+=(--filter "$filter" --allow-empty-runs); fi
  rm -f "$results"
  echo "[test] $name"
  local status=0
  /usr/lib/llvm-22/bin/lit "${options[@]}" "$tests" || status=$? # failures are counted below
  if [[ ! -e $results ]]; then
    if [[ -n $filter && $status -eq 0 ]]; then return; fi
    failed=$((failed + 1))
    echo "[test] $name: lit itself failed"
    return
  fi
  local summary counts
  summary=$(python3 scripts/lit_summary.py "$results")
  read -ra counts <<<"$(tail -n 1 <<<"$summary")"
  sed '$d' <<<"$summary"
  passed=$((passed + counts[0]))
  failed=$((failed + counts[1]))
  skipped=$((skipped + counts[2]))
  echo "[test] $name: ${counts[0]} passed, ${counts[1]} failed, ${counts[2]} not run, in $((SECONDS - began)) s"
  # A suite without tests is a broken suite.
  if [[ -z $filter && $((counts[0] + counts[1])) -eq 0 ]]; then
    failed=$((failed + 1))
    echo "[test] $name: no test found"
  fi
}

if wants checks; then
  run_check layering python3 scripts/check_layering.py
  run_check lit-files python3 scripts/check_lit.py
  run_check files python3 scripts/check_files.py
  run_check format ./scripts/check_format.sh
  run_check docs ./scripts/check_docs.sh
fi
if wants unit; then run_lit unit "$folder/test/unit"; fi
if wants lit; then run_lit lit "$folder/test"; fi

if [[ $skipped -gt 0 ]]; then
  echo "[test] ATTENTION: $skipped tests did not run; the reasons stand above"
fi
echo "[test] all suites took $((SECONDS - start)) s"
echo "$passed passed, $failed failed"
[[ $failed -eq 0 && $passed -gt 0 ]]
