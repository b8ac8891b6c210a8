"""Drives `issuer-keys ceremony enter` at a pseudo-terminal, as its people do.

    ceremony.py COMPONENTS COMMAND...

COMPONENTS is a file of JSON: `key`, its check value, and `components`, each a value and its check value. COMMAND may run
the program under a debugger. Shows what the screen showed; what is typed without echo is not on it.
"""
import json
import os
import pty
import select
import sys
import time

plan = json.load(open(sys.argv[1]))
answers = [("Name of the witness:", "Wanda")]
for number, component in enumerate(plan["components"], 1):
    answers += [("Your name:", f"Custodian {number}"), (f"Component {number}:", component["value"]),
                ("Its check value:", component["kcv"])]
answers.append(("type the key check value to confirm it:", plan["kcv"]))

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
screen, read, end = "", 0, time.monotonic() + 300
while True:
    if answers:
        at = screen.find(answers[0][0], read)
        if at >= 0:
            read = at + len(answers[0][0])
            os.write(terminal, (answers.pop(0)[1] + "\n").encode())
            continue
    left = end - time.monotonic()
    if left <= 0 or not select.select([terminal], [], [], left)[0]:
        sys.exit("the program stands still:\n" + screen)
    try:
        data = os.read(terminal, 4096)
    except OSError:
        data = b""
    if not data:
        break
    screen += data.decode(errors="replace")
_, status = os.waitpid(pid, 0)
print(screen)
sys.exit(f"never asked: {answers[0][0]}" if answers else os.waitstatus_to_exitcode(status))
