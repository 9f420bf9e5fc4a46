"""A driver that tells everything it knows to whoever listens, in every spelling that it can think of.

``leak.py raise`` ends with a traceback, ``leak.py claim`` names itself after the password and does its work, with the
program in the second argument as its real driver. Before that both wait at a gate, so that somebody can look around;
``leak.py check`` is the second one without the gate.
"""

import html
import json
import os
import subprocess
import sys
import threading
import urllib.parse

HOW, PROGRAM = sys.argv[1:3]
line = sys.stdin.readline()
job = json.loads(line)
password = job["server"]["password"] or "(there is none)"

for name, value in os.environ.items():
    print(f"{name}={value}", file=sys.stderr)
spellings = [
    password,
    line.strip(),
    repr(password),
    repr(password.encode()),
    ascii(password),
    json.dumps(json.dumps(password)),
    urllib.parse.quote(password),
    urllib.parse.quote_plus(password),
    html.escape(password),
    f"redis://:{urllib.parse.quote(password, safe='')}@h:1/0",
]
for spelling in spellings:
    print("x" * 1990 + spelling, spelling, file=sys.stderr)
sys.stderr.flush()

if HOW != "check":
    os.mkfifo(f"gate-{os.getpid()}")
    with open("told", "a") as told:
        told.write(json.dumps({"pid": os.getpid(), "password": password}) + "\n")
    with open(f"gate-{os.getpid()}") as gate:
        gate.read()

if HOW == "raise":
    raise ConnectionError(f"failed to authenticate with {password!r}: {spellings}")

inner = subprocess.Popen([PROGRAM, "driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def hand_on():
    for line in sys.stdin:
        inner.stdin.write(line)
        inner.stdin.flush()
    inner.stdin.close()


inner.stdin.write(json.dumps({**job, "mode": "sync"}) + "\n")
inner.stdin.flush()
threading.Thread(target=hand_on, daemon=True).start()
for line in inner.stdout:
    event = json.loads(line)
    if event["event"] == "ready":
        event["client"] = f"=HYPERLINK({password})\x1b[31m"
        event["runtime"] = urllib.parse.quote_plus(password) + "\r\n" + "y" * 1_000_000
        event["comparability"] = " ".join(spellings)
    print(json.dumps(event), flush=True)
sys.exit(inner.wait())
