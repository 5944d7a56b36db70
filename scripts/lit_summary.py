#!/usr/bin/env python3
"""Counts the results that lit wrote with --output, and names what did not run and why.

    scripts/lit_summary.py RESULTS.json

Prints the failed and the skipped tests; the last line is 'PASSED FAILED SKIPPED'.
"""
import json
import re
import sys
from collections import defaultdict

GOOD = {"PASS", "XFAIL", "FLAKYPASS"}
NOT_RUN = {"UNSUPPORTED", "SKIPPED", "EXCLUDED"}


def reason_of(test):
    output = test.get("output", "")
    match = re.search(r"unavailable features?: (.*)", output)
    if match:
        return "needs " + match.group(1).strip()
    match = re.search(r"unsupported features?.*: (.*)", output)
    if match:
        return "not with " + match.group(1).strip()
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "skipped by the test itself"


def main():
    with open(sys.argv[1]) as file:
        tests = json.load(file)["tests"]
    passed, failed, skipped = 0, [], defaultdict(list)
    for test in tests:
        if test["code"] in GOOD:
            passed += 1
        elif test["code"] == "EXCLUDED":
            continue  # by --filter
        elif test["code"] in NOT_RUN:
            skipped[reason_of(test)].append(test["name"])
        else:
            failed.append((test["code"], test["name"]))
    for code, name in failed:
        print(f"  {code}: {name}")
    for reason, names in sorted(skipped.items()):
        print(f"  NOT RUN, {reason}: {len(names)} tests")
        for name in names[:20]:
            print(f"    {name}")
        if len(names) > 20:
            print(f"    and {len(names) - 20} more")
    print(passed, len(failed), sum(map(len, skipped.values())))


if __name__ == "__main__":
    main()
