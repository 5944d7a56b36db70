"""Wall time and peak memory of a process, with a time limit.

A child's ru_maxrss counts the memory of the process that forked it, until exec. So a small process of its own forks:
`measure.py RESULT COMMAND...`, which writes seconds and KiB to RESULT.
"""

import dataclasses
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass
class Measurement:
    status: int | None  # None: stopped at the limit
    seconds: float
    mebibytes: float
    output: str


def measured(command, limit=None):
    with tempfile.TemporaryDirectory() as folder:
        result, log = pathlib.Path(folder) / "result", pathlib.Path(folder) / "log"
        start = time.perf_counter()
        with open(log, "w") as file:
            launcher = [sys.executable, "-I", "-S", __file__, str(result), *map(str, command)]
            process = subprocess.Popen(launcher, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                status = process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return Measurement(None, time.perf_counter() - start, 0, log.read_text(errors="replace"))
        text = log.read_text(errors="replace")
        if not result.exists():
            return Measurement(status or 1, time.perf_counter() - start, 0, text)
        seconds, kibibytes = result.read_text().split()
        return Measurement(status, float(seconds), float(kibibytes) / 1024, text)


def main():
    start = time.perf_counter()
    status = subprocess.run(sys.argv[2:]).returncode
    seconds = time.perf_counter() - start
    with open(sys.argv[1], "w") as file:
        file.write(f"{seconds} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
