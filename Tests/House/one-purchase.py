#!/usr/bin/env python3
"""Counts what one chip-and-PIN purchase passes in the host: functions, files, lines, modules, in order.

    Config/demo/environment.sh with Tests/House/one-purchase.py [--list] [--functions] [--write] [--check]

Starts a host of its own on the environment's token and store, opens one connection, and only then puts a trap at the
first instruction of every function of the program. What runs while nothing is asked for belongs to timers and watches.
Then one purchase with a PIN goes over that connection, the first of its card; every function that runs leaves its name
once, in the order in which they run. One of the timers' functions, and what it calls, counts only where a function that
counts calls it.
Start-up, connecting and waiting count for nothing; neither does what the compiler makes without a statement of a file:
accessors of stored properties, default arguments, addresses of constants.

A file counts whole, with all its lines: who reads the way has it open. A module is entered where the first call into one
of its files follows a first call into a file of another module. ByteCoding and EMV are looked up like a dictionary, from
everywhere, and enter nowhere.

--write puts the list into ARCHITECTURE.md. --check compares with the bounds below and with that list, and exits 1 where a
bound is passed or the list says something else.
"""

import argparse
import bisect
import collections
import ctypes
import errno
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- one purchase: Tests/House/one-purchase.py --write -->\n", "<!-- end of one purchase -->\n"
# What a new check of every purchase needs is added, in the commit that brings it.
FILES_MAX, LINES_MAX, FILE_LINES_MAX, ENTERED_MAX = 45, 7_000, 300, 2
DICTIONARIES = {"ByteCoding", "EMV"}
TRAP = b"\xcc"
PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_SEIZE = 7, 12, 13, 0x4206
PTRACE_SINGLESTEP, OPTION_TRACE_CLONE, WALL, RIP, RSP = 9, 1 << 3, 0x40000000, 16, 19
# So often a timer's function is let pass before it is no longer looked at: each time takes a millisecond.
PASSES_MAX = 5
MODULES = [folder.name.replace("-", "_") for folder in (ROOT / "Sources").iterdir()]
OURS = re.compile(r"^\$s.*?(?<!\d)(" + "|".join(f"{len(module)}{module}" for module in MODULES) + ")")
# Initial values of properties, addresses of constants and default arguments, with the closure that a function's name as a default
# argument is called through; accessors, which count where they have a body.
MADE_BY_THE_COMPILER = re.compile(r"(vpfi|vpZfi|vau|fA\d*_(\w*fu\d*_)?|WZ)$")
ACCESSOR = re.compile(r"v(g|s|M|r|w)Z?$")

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread, address=0, data=0):
    if libc.ptrace(request, thread, address, data) < 0:
        number = ctypes.get_errno()
        if number != errno.ESRCH:
            raise OSError(number, f"ptrace {request}: {os.strerror(number)}")


def reap():
    """The host with every thread that was traced."""
    try:
        while True:
            os.waitpid(-1, WALL)
    except ChildProcessError:
        pass


class Traps:
    """Every function of a running program, caught the first time that it runs."""

    def __init__(self, process, executable):
        self.process = process
        base = self.base(executable)
        names = subprocess.run(["nm", executable], check=True, capture_output=True, text=True).stdout
        self.functions = {}
        # Of every function, those of libraries too: what calls is found by where it begins.
        starts = set()
        for line in names.splitlines():
            part = line.split()
            if len(part) != 3 or part[1] not in "tTwW":
                continue
            starts.add(base + int(part[0], 16))
            if part[1] in "tT" and OURS.search(part[2]):
                self.functions[base + int(part[0], 16)] = (int(part[0], 16), part[2])
        self.memory = os.open(f"/proc/{process}/mem", os.O_RDWR)
        self.starts = sorted(starts)
        self.before = {}
        self.hit = []
        self.counted = set()
        self.timers, self.passed = None, collections.Counter()

    def base(self, executable):
        for line in open(f"/proc/{self.process}/maps"):
            if line.rstrip().endswith(os.path.realpath(executable)) and line.split()[2] == "00000000":
                return int(line.split("-")[0], 16)
        sys.exit("one-purchase: the program's place in memory was not found")

    def arm(self, addresses):
        for address in addresses:
            self.before[address] = os.pread(self.memory, 1, address)
            os.pwrite(self.memory, TRAP, address)

    def run(self, act):
        """Everything of ptrace is one thread's: `act` runs beside it; the traps' work ends with it."""
        for name in os.listdir(f"/proc/{self.process}/task"):
            ptrace(PTRACE_SEIZE, int(name), 0, OPTION_TRACE_CLONE)
        actor = threading.Thread(target=act)
        actor.start()
        while actor.is_alive():
            try:
                thread, status = os.waitpid(-1, WALL | os.WNOHANG)
            except ChildProcessError:
                sys.exit("one-purchase: the host is gone")
            if thread == 0:
                time.sleep(0.0005)
            elif os.WIFSTOPPED(status):
                self.stopped(thread, status)
        actor.join()

    def stopped(self, thread, status):
        number, event = os.WSTOPSIG(status), status >> 16
        if event == 0 and number == 5 and self.taken(thread):
            number = 0
        ptrace(PTRACE_CONT, thread, 0, 0 if event or number == 5 else number)

    def taken(self, thread):
        registers = (ctypes.c_ulonglong * 27)()
        ptrace(PTRACE_GETREGS, thread, 0, ctypes.addressof(registers))
        address = registers[RIP] - 1
        if address not in self.functions:
            return False
        registers[RIP] = address
        ptrace(PTRACE_SETREGS, thread, 0, ctypes.addressof(registers))
        if os.pread(self.memory, 1, address) != TRAP:
            return True
        os.pwrite(self.memory, self.before[address], address)
        caller = self.caller(registers[RSP])
        if self.timers is not None and self.is_of_timers(address, caller):
            self.timers.add(address)
        if self.timers is not None and address in self.timers and caller not in self.counted:
            self.passed[address] += 1
            if self.passed[address] > PASSES_MAX:
                return True
            ptrace(PTRACE_SINGLESTEP, thread)
            os.waitpid(thread, WALL)
            os.pwrite(self.memory, TRAP, address)
            return True
        self.hit.append(address)
        self.counted.add(address)
        return True

    def is_of_timers(self, address, caller):
        """Called by a timer's function, or a closure of one, which a library calls."""
        if caller in self.timers:
            return caller not in self.counted
        name = self.functions[address][1]
        return any(name.startswith(self.functions[timer][1]) for timer in self.timers
                   if timer != address and timer not in self.counted)

    def caller(self, stack):
        """The function that a call returns to, from the first word of the stack."""
        back = int.from_bytes(os.pread(self.memory, 8, stack), "little")
        place = bisect.bisect_right(self.starts, back) - 1
        return self.starts[place] if place >= 0 else 0

    def count_from_now(self):
        """What ran until now is the timers'; its traps are set again."""
        self.timers = set(self.hit)
        self.hit, self.counted = [], set()
        self.arm(self.timers)

    def places(self, addresses):
        """File, line and demangled name of functions, by debug information."""
        tool = shutil.which("llvm-symbolizer")
        offsets = "\n".join(hex(self.functions[address][0]) for address in addresses)
        command = [tool, "--obj=" + EXECUTABLE, "--output-style=GNU", "--no-inlines", "--functions=none"] if tool else [
            "addr2line", "-e", EXECUTABLE]
        lines = subprocess.run(command, input=offsets, check=True, capture_output=True, text=True).stdout.split("\n")
        places = []
        for line in [line for line in lines if line]:
            match = re.search(r"/(Sources/([^/]+)/.*\.swift):(\d+)", line)
            places.append(match.groups() if match and (ROOT / match[1]).exists() else None)
        return places


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def connect(port):
    for _ in range(2_400):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except OSError:
            time.sleep(0.05)
    sys.exit("one-purchase: the host did not start")


def purchase(host, bin_folder, port):
    """The terminal's purchase, over a connection that stands already."""
    listener = socket.create_server(("127.0.0.1", port))

    def copy(source, sink):
        while data := source.recv(65_536):
            sink.sendall(data)

    def carry():
        terminal, _ = listener.accept()
        for pair in ((terminal, host), (host, terminal)):
            threading.Thread(target=copy, args=pair, daemon=True).start()

    threading.Thread(target=carry, daemon=True).start()
    answer = subprocess.run(
        [f"{bin_folder}/terminal-simulator", "purchase", "--target", f"127.0.0.1:{port}", "--zpk", "zpk-acquirer-a",
         "--pin-format", "0", "--card", "visa-cvn18", "--amount", "42.50", "--pin", PIN,
         "--timeout", "60", "--config", CONFIGURATION], capture_output=True, text=True)
    # What is done after the answer belongs to the way, too.
    time.sleep(0.5)
    return answer


def pin_of(card):
    import json

    issuer = json.load(open(ROOT / "Config/demo/demo-issuer.json"))
    return next(entry["pin"] for entry in issuer["cards"] if entry["name"] == card)


def visits(files, modules):
    """How often each module is entered, by first calls into its files."""
    count, last = collections.Counter(), None
    for file in files:
        module = modules[file]
        if module in DICTIONARIES or module == last:
            continue
        count[module] += 1
        last = module
    return count


def architecture_files():
    page = PAGE.read_text()
    return re.findall(r"`([^`]+\.swift)`", page[page.index(BEGIN):page.index(END)])


def named(file, modules):
    return f"{modules[file]}/{pathlib.Path(file).name}"


def purpose(file):
    """The first sentence of what a file says of itself: of its first comment at the margin."""
    lines = []
    for line in (ROOT / file).read_text().split("\n"):
        if line.startswith("///"):
            lines.append(line[3:].strip())
        elif lines:
            break
    words = re.sub(r"\s*\(.*?\)", "", " ".join(lines))
    return re.split(r"(?<=[.:;])\s", words)[0].rstrip(".:;")


def write(files, modules):
    """One line for each time that a module is entered; what is looked up stands where it is first needed."""
    lines, last = [], None
    for file in files:
        module = modules[file]
        if module != last and not (module in DICTIONARIES and lines):
            lines.append([])
            last = module
        lines[-1].append(f"`{named(file, modules)}` ({purpose(file)})")
    page = PAGE.read_text()
    text = "".join(f"{number}. {'; '.join(line)}\n" for number, line in enumerate(lines, 1))
    PAGE.write_text(page[:page.index(BEGIN)] + BEGIN + text + page[page.index(END):])


def report(files, functions, modules, options):
    lines = {file: sum(1 for _ in open(ROOT / file)) for file in files}
    entered = visits(files, modules)
    if options.list or options.functions:
        for file in files:
            print(f"{lines[file]:5} {len(functions[file]):4} {file}")
            for line, name in functions[file] if options.functions else []:
                print(f"               {line:4} {name}")
    longest = max(files, key=lines.get)
    print(f"files {len(files)}  lines {sum(lines.values())}  longest {lines[longest]} ({longest})")
    print(f"modules {len(set(modules.values()))}; entered: "
          + ", ".join(f"{module} {count}" for module, count in entered.most_common()))
    if options.write:
        write(files, modules)
    if not options.check:
        return 0
    faults = []
    if len(files) > FILES_MAX:
        faults.append(f"{len(files)} files, at most {FILES_MAX}")
    if sum(lines.values()) > LINES_MAX:
        faults.append(f"{sum(lines.values())} lines, at most {LINES_MAX}")
    faults += [f"{file} has {lines[file]} lines, at most {FILE_LINES_MAX}" for file in files
               if lines[file] > FILE_LINES_MAX]
    faults += [f"{module} is entered {count} times, at most {ENTERED_MAX}" for module, count in entered.items()
               if count > ENTERED_MAX]
    listed, passed = set(architecture_files()), {named(file, modules) for file in files}
    faults += [f"ARCHITECTURE.md does not name {name}" for name in sorted(passed - listed)]
    faults += [f"ARCHITECTURE.md names {name}, which the purchase does not pass" for name in sorted(listed - passed)]
    for fault in faults:
        print(f"one-purchase: {fault}", file=sys.stderr)
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true", help="every file: lines, functions that ran, name")
    parser.add_argument("--functions", action="store_true", help="and the functions")
    parser.add_argument("--write", action="store_true", help="put the list into ARCHITECTURE.md")
    parser.add_argument("--check", action="store_true", help="exit 1 where a bound is passed")
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        sys.exit("one-purchase: its traps are those of x86-64")
    link, proxy = free_port(), free_port()
    ports = {"ISSUER_LINKS_ACQUIRER_A_PORT": link, "ISSUER_LINKS_ACQUIRER_B_PORT": free_port(),
             "ISSUER_ADMIN_PORT": free_port()}
    host = subprocess.Popen([EXECUTABLE, "serve", "--config", CONFIGURATION],
                            env=os.environ | {key: str(port) for key, port in ports.items()},
                            stdout=subprocess.DEVNULL)
    try:
        connection = connect(link)
        time.sleep(1)
        traps = Traps(host.pid, EXECUTABLE)
        outcome = {}

        def act():
            traps.arm(traps.functions)
            time.sleep(4)
            traps.count_from_now()
            outcome["answer"] = purchase(connection, BIN, proxy)

        traps.run(act)
    finally:
        host.kill()
        reap()
    if outcome["answer"].returncode != 0:
        sys.exit("one-purchase: not approved\n" + outcome["answer"].stdout + outcome["answer"].stderr)
    functions, modules, texts = collections.OrderedDict(), {}, {}
    for address, place in zip(traps.hit, traps.places(traps.hit)):
        if place is None:
            continue
        (file, module, line), name = place, traps.functions[address][1]
        texts.setdefault(file, (ROOT / file).read_text().split("\n"))
        hasBody = int(line) == 0 or "{" in "".join(texts[file][int(line) - 1:int(line) + 1])
        if MADE_BY_THE_COMPILER.search(name) or ACCESSOR.search(name) and not hasBody:
            continue
        modules[file] = module
        functions.setdefault(file, []).append((int(line), name))
    print(f"timers: {len(traps.timers)} functions", file=sys.stderr)
    return report(list(functions), functions, modules, options)


CONFIGURATION = os.environ.get("DEMO_CONFIG") or sys.exit("run me by: Config/demo/environment.sh with " + sys.argv[0])
BIN = os.environ.get("DEMO_BIN", str(ROOT / ".build/debug"))
EXECUTABLE = os.path.realpath(f"{BIN}/issuer-host")
PIN = pin_of("visa-cvn18")

if __name__ == "__main__":
    sys.exit(main())
