"""kill_after.py FILE COMMAND...: starts the command, waits until FILE has been written twice, and kills it (SIGKILL)."""
import os
import signal
import subprocess
import sys
import time

path, command = sys.argv[1], sys.argv[2:]
process = subprocess.Popen(command)
versions, deadline = set(), time.monotonic() + 120
while len(versions) < 2:
    if process.poll() is not None:
        sys.exit(f"kill_after.py: the command ended by itself with {process.returncode}")
    if time.monotonic() > deadline:
        process.kill()
        sys.exit(f"kill_after.py: {path} was not written twice in two minutes")
    if os.path.exists(path):
        versions.add(os.stat(path).st_ino)
    time.sleep(0.002)
process.send_signal(signal.SIGKILL)
process.wait()
