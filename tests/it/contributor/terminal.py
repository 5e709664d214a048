"""Runs a program on a terminal of its own, types an answer at each question, and prints what it showed.

    terminal.py ANSWERS PROGRAM [ARGUMENT …]
"""

import os
import pty
import select
import sys

answers = sys.argv[1].splitlines()
process, terminal = pty.fork()
if process == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown, asked = b"", 0
while True:
    ready, _, _ = select.select([terminal], [], [], 120)
    if not ready:
        break
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    while shown.count(b"[y/N]") > asked:
        answer = answers[asked] if asked < len(answers) else "n"
        asked += 1
        os.write(terminal, answer.encode() + b"\n")
_, status = os.waitpid(process, 0)
sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
sys.exit(os.waitstatus_to_exitcode(status))
