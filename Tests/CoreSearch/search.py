"""Searches a core for keys: `search.py CORE SECRETS FIND`. SECRETS is JSON, name to hex; FIND is find.c, compiled.

Looks for each value and each of its halves, as bytes and as hex digits of both cases, in every segment of the core. Says
where each hit lies: which file's data, a stack, or the heap, and there, if alloc-origin.so was preloaded, which library
asked for the block. Prints no value. Exit code 1 if something lies outside the token library's memory.
"""
import json
import mmap
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter

# NSPR and NSS allocate for the token alone: nothing else in these processes uses them.
TOKEN_LIBRARIES = re.compile(r"/(lib(softokn|freebl|freeblpriv|nssutil|nspr|plds|plc|sqlite|nssdbm|softhsm2)[^/]*)$")
MARK = b"ALLOCBY:"


class Core:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self.data[:5] != b"\x7fELF\x02":
            sys.exit(f"{path}: not a 64-bit core")
        offset, = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        self.segments, self.files, self.stacks = [], [], []
        for index in range(count):
            kind, _, start, address, _, length = struct.unpack_from("<IIQQQQ", self.data, offset + index * size)
            if kind == 1 and length:
                self.segments.append((start, address, length))
            elif kind == 4:
                self.notes(start, length)

    def notes(self, start, length):
        at, end = start, start + length
        while at < end:
            name, size, kind = struct.unpack_from("<III", self.data, at)
            body = at + 12 + (name + 3 & ~3)
            if kind == 0x46494C45:  # NT_FILE
                count, page = struct.unpack_from("<QQ", self.data, body)
                names = self.data[body + 16 + count * 24:body + size].split(b"\0")
                for index in range(count):
                    first, last, _ = struct.unpack_from("<QQQ", self.data, body + 16 + index * 24)
                    self.files.append((first, last, names[index].decode()))
            elif kind == 1:  # NT_PRSTATUS: rsp is the twentieth register
                self.stacks.append(struct.unpack_from("<Q", self.data, body + 112 + 19 * 8)[0])
            at = body + (size + 3 & ~3)

    def file_at(self, address):
        return next((name for first, last, name in self.files if first <= address < last), None)

    def place(self, offset):
        """(belongs to the token, words)"""
        start, address, length = next(s for s in self.segments if s[0] <= offset < s[0] + s[2])
        where = address + offset - start
        if name := self.file_at(where):
            return bool(TOKEN_LIBRARIES.search(name)), f"data of {name}"
        at = offset
        for _ in range(64):
            at = self.data.rfind(MARK, max(start, at - 4_194_304), at)
            if at < 0:
                break
            size, caller, freed = struct.unpack_from("<QQQ", self.data, at + 8)
            if at + 32 <= offset < at + 32 + size:
                library = self.file_at(caller) or "?"
                state = "freed, " if freed else ""
                return bool(TOKEN_LIBRARIES.search(library)), f"heap, {state}asked for by {library}"
        if any(address <= pointer < address + length for pointer in self.stacks):
            return False, "a stack"
        return False, "memory without a note"


def needles(secrets):
    for name, digits in secrets.items():
        value = bytes.fromhex(digits)
        half = len(value) // 2
        parts = {"whole": value, "left half": value[:half], "right half": value[half:]}
        for part, data in parts.items():
            yield name, f"{part}, bytes", data
            yield name, f"{part}, hex", data.hex().encode()
            yield name, f"{part}, hex", data.hex().upper().encode()
            yield name, f"{part}, words turned round", b"".join(data[i:i + 8][::-1] for i in range(0, len(data), 8))


def main():
    core = Core(sys.argv[1])
    secrets = json.load(open(sys.argv[2]))
    megabytes = sum(s[2] for s in core.segments) / 1_048_576
    inside, outside = Counter(), Counter()
    seen = set()
    wanted = list(needles(secrets))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(needle.hex() + "\n" for _, _, needle in wanted))
        file.flush()
        hits = subprocess.run([sys.argv[3], sys.argv[1], file.name], stdout=subprocess.PIPE, check=True).stdout
    for line in hits.decode().splitlines():
        at, number = map(int, line.split())
        _, form, needle = wanted[number]
        if (at, form) in seen or not any(s[0] <= at < s[0] + s[2] for s in core.segments):
            continue
        seen.add((at, form))
        is_token, words = core.place(at)
        (inside if is_token else outside)[(form, words)] += 1
    print(f"{sys.argv[1]}: {megabytes:.0f} MB, {len(secrets)} values, each whole and by halves, as bytes, as hex digits "
          "and as words turned round")
    for title, found in (("token library", inside), ("elsewhere", outside)):
        print(f"  {title}: {sum(found.values())} places")
        for (form, words), count in sorted(found.items()):
            print(f"    {count:6}  {form}: {words}")
    sys.exit(1 if outside else 0)


main()
