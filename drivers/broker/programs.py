"""The worker programs of a library: processes that this one starts, and that may start others."""

import os
import signal
import subprocess
import sys
import threading

import kit


class Programs:
    def __init__(self, ended):
        """``ended(status)`` is called, in a thread of its own, when one of the programs ends."""
        self.pids = []
        self._ended = ended
        self._lock = threading.Lock()

    def start(self, command, variables):
        # What a program that is killed leaves in its temporary directory goes with the files of the trial.
        environment = {**os.environ, "TMPDIR": os.environ[kit.DIRECTORY], **variables}
        # Standard output belongs to the protocol, so a program's output goes elsewhere.
        with self._lock:
            program = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        self.pids.append(program.pid)
        threading.Thread(target=lambda: self._ended(program.wait()), daemon=True).start()

    def kill(self):
        """Ends the programs and all that has come of them, in whatever session or group that is. None is started any more."""
        self._lock.acquire()
        while True:
            running = _of_this_trial()
            if not running:
                return
            for process in running:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def _of_this_trial():
    """Every process that was started with the variable of this trial's directory."""
    if kit.DIRECTORY not in os.environ:
        return []
    mark = f"{kit.DIRECTORY}={os.environ[kit.DIRECTORY]}".encode()
    if os.path.isdir("/proc/self"):
        return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and mark in _environment(entry)]
    listed = subprocess.run(["ps", "axeww", "-o", "pid=,command="], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL).stdout
    return [int(line.split(None, 1)[0]) for line in listed.splitlines() if mark in line]


def _environment(process):
    """That of a zombie is empty, and others' cannot be read."""
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def told(status):
    """How a program ended, as a sentence goes on."""
    return f"was ended by signal {-status}" if status < 0 else f"exited with status {status}"
