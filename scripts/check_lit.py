#!/usr/bin/env python3
"""Checks that every lit test can fail.

    scripts/check_lit.py [ROOT]

For each .mlir, .onnxtxt and .test file under test/: it has a RUN line, the last command
of every RUN line is one that can fail on its own account, and every CHECK prefix in it is
read by a FileCheck that some RUN line calls. Exits 1 with one line per problem.
"""
import pathlib
import re
import shlex
import sys

SUFFIXES = {".mlir", ".onnxtxt", ".test"}
RUN = re.compile(r"RUN:\s?(.*)$")
# "CHECK-NEXT:" and the like, for whatever prefix: PREFIX(-SUFFIX)?(COUNT)?:
DIRECTIVE = re.compile(r"^[^\w]*([A-Z][A-Z0-9_-]*?)(?:-(?:NEXT|SAME|NOT|DAG|LABEL|EMPTY|COUNT-\d+))?(?:\{LITERAL\})?:(?:\s|$)")
NOT_DIRECTIVES = {"RUN", "REQUIRES", "UNSUPPORTED", "XFAIL", "DEFINE", "REDEFINE", "ALLOW_RETRIES", "END", "NOTE", "TODO"}
# Commands that succeed whatever they read: a RUN line may not end in them.
CANNOT_FAIL = {"echo", "cat", "true", ":", "tee", "sort", "head", "tail", "sed", "rm", "mkdir", "touch", "cp", "env", "wc", "printf"}
# Preparations, all right as a whole RUN line because a later line uses what they make.
PREPARATIONS = {"rm", "mkdir", "touch", "cp", "split-file", "cd", "echo", "printf", "cat", "sed", "head"}


def run_lines(text):
    """The RUN commands with continuation lines joined, each with its line number."""
    commands, pending = [], None
    for number, line in enumerate(text.splitlines(), 1):
        match = RUN.search(line)
        if not match:
            continue
        start, command = (number, match.group(1)) if pending is None else (pending[0], pending[1] + match.group(1))
        if command.rstrip().endswith("\\"):
            pending = (start, command.rstrip()[:-1] + " ")
        else:
            commands.append((start, command))
            pending = None
    return commands


def words_of(command):
    try:
        return shlex.split(command, comments=False)
    except ValueError:
        return command.split()


def prefixes_of(command):
    """The prefixes that the FileCheck calls of a command read from %s (or any file)."""
    found = set()
    for stage in re.split(r"\|\||&&|\||;", command):
        words = words_of(stage)
        if "FileCheck" not in words and "%FileCheck" not in words:
            continue
        own = set()
        for i, word in enumerate(words):
            match = re.match(r"--?check-prefix(?:es)?(?:=(.*))?$", word)
            if match:
                value = match.group(1) if match.group(1) is not None else (words[i + 1] if i + 1 < len(words) else "")
                own.update(v for v in value.split(",") if v)
        found |= own or {"CHECK"}
    return found


def last_command(command):
    words = words_of(re.split(r"\|\||&&|\||;", command)[-1])
    while words and (words[0] in ("not", "env", "--crash") or re.match(r"^\w+=", words[0])):
        if words[0] == "not":
            return "not"  # it inverts, so it can fail
        words.pop(0)
    return words[0] if words else ""


def check(path, text):
    commands = run_lines(text)
    if not commands:
        return [(1, "no RUN line")]
    problems = []
    for number, command in commands:
        stages = re.split(r"\|\||&&|\||;", command)
        last = last_command(command)
        prepares = all(last_command(s) in PREPARATIONS for s in stages) and "|" not in command
        if last in CANNOT_FAIL and not prepares:
            problems.append((number, f"the RUN line ends in '{last}', which cannot fail"))
        if "||" in command:
            problems.append((number, "'||' hides a failure"))
    if all(last_command(c) in CANNOT_FAIL | PREPARATIONS for _, c in commands):
        problems.append((commands[0][0], "no RUN line runs anything that can fail"))
    read = set().union(*(prefixes_of(c) for _, c in commands))
    reported = set()
    for number, line in enumerate(text.splitlines(), 1):
        match = DIRECTIVE.match(line)
        if not match or RUN.search(line):
            continue
        prefix = match.group(1)
        if prefix in read or prefix in NOT_DIRECTIVES or prefix in reported:
            continue
        # Only what looks like one of FileCheck's prefixes: other words may end in a colon.
        if prefix.startswith("CHECK") or f"{prefix}-NEXT:" in text or f"{prefix}-SAME:" in text or f"{prefix}-NOT:" in text:
            reported.add(prefix)
            problems.append((number, f"{prefix} lines that no RUN line's FileCheck reads"))
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    files = [p for p in sorted((root / "test").rglob("*")) if p.suffix in SUFFIXES and "Inputs" not in p.parts]
    count = 0
    for path in files:
        for number, problem in check(path, path.read_text(errors="replace")):
            count += 1
            print(f"{path.relative_to(root)}:{number}: {problem}")
    if not files:
        count = 1
        print(f"{root}: no lit test found under test/")
    print(f"lit files: {len(files)} files, {count} problems")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
