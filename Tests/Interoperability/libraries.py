"""An acquirer switch on message libraries that are not ours: each pays, repeats and reverses on a link that fits it.

    libraries.py ISSUER SPECIFICATIONS LIBRARY PORT [CAPTURE]

ISSUER is the demo issuer's file, SPECIFICATIONS the pyiso8583 specifications of the shared vectors. LIBRARY is one of
those below; one process each, since py8583's specifications change each other. Prints a line for each exchange; the
status is 1 if one went wrong. Never prints card data. CAPTURE gets what goes over the wire, in the form of text2pcap.
"""
import json
import os
import socket
import sys
import time

import psec
from pyemv import tlv

from client import Card

BINARY = (52, 55)


class PyISO8583:
    """pyiso8583 4.0.1, dialect ascii87-binbitmap."""

    def __init__(self, specifications):
        import iso8583
        self.iso8583, self.specification = iso8583, specifications["ascii87-binbitmap"]["fields"]

    def encode(self, mti, fields):
        return bytes(self.iso8583.encode({"t": mti, **{str(k): v for k, v in fields.items()}}, self.specification)[0])

    def decode(self, raw):
        found, _ = self.iso8583.decode(raw, self.specification)
        return found["t"], {int(k): v for k, v in found.items() if k.isdigit() and int(k) > 1}


class ISO8583Sim:
    """iso8583sim 1.6.0 by the name of a wire format, EBCDIC in two code pages."""

    def __init__(self, preset, code_page=None):
        from dataclasses import replace
        from iso8583sim.wire import WireFormat
        self.format = WireFormat.preset(preset)
        if code_page:
            self.format = replace(self.format, ebcdic_codec=code_page)

    def encode(self, mti, fields):
        from iso8583sim.core.types import ISO8583Message
        from iso8583sim.wire import encode_message
        return encode_message(ISO8583Message(mti=mti, fields={0: mti, **fields}), self.format)

    def decode(self, raw):
        from iso8583sim.wire import decode_message
        found = decode_message(raw, self.format)
        return found.mti, {k: v.rstrip(" ") if k in (41, 42) else v for k, v in found.fields.items() if k > 1}


class Toolbox:
    """iso-8583-toolbox 0.1.0 with a table of our own: it brings none."""

    def __init__(self):
        from iso_8583 import FieldSpec
        from iso_8583.extendable_formats import LengthType
        from iso_8583.fixed_formats import FieldFormat as F
        fixed, ll, lll = LengthType.FIXED, LengthType.LLVAR, LengthType.LLLVAR
        table = {
            2: (ll, F.N, 19), 3: (fixed, F.N, 6), 4: (fixed, F.N, 12), 7: (fixed, F.N, 10), 11: (fixed, F.N, 6),
            12: (fixed, F.N, 6), 13: (fixed, F.N, 4), 14: (fixed, F.N, 4), 18: (fixed, F.N, 4), 22: (fixed, F.N, 3),
            23: (fixed, F.N, 3), 25: (fixed, F.N, 2), 32: (ll, F.N, 11), 35: (ll, F.Z, 37), 37: (fixed, F.AN, 12),
            38: (fixed, F.AN, 6), 39: (fixed, F.AN, 2), 41: (fixed, F.ANSP, 8), 42: (fixed, F.ANSP, 15),
            49: (fixed, F.N, 3), 52: (fixed, F.B, 8), 55: (lll, F.B, 255), 70: (fixed, F.N, 3), 90: (fixed, F.N, 42),
        }
        self.specification = {bit: FieldSpec(length, form, most) for bit, (length, form, most) in table.items()}

    def encode(self, mti, fields):
        from iso_8583 import Message
        message = Message(self.specification, int(mti, 16))
        for bit, value in fields.items():
            message[bit] = bytes.fromhex(value) if bit in BINARY else value.replace("=", "D")
        return message.pack()

    def decode(self, raw):
        from iso_8583 import Message
        message = Message.unpack(self.specification, raw)
        found = {k: v.hex().upper() if isinstance(v, bytes) else v for k, v in message.fields().items()}
        return "%04x" % message._mti, found


class Cardutil:
    """cardutil 0.7.3 with a table of our own, in Latin 1 or EBCDIC."""

    LENGTHS = {
        2: "LLVAR", 3: 6, 4: 12, 7: 10, 11: 6, 12: 6, 13: 4, 14: 4, 18: 4, 22: 3, 23: 3, 25: 2, 32: "LLVAR",
        35: "LLVAR", 37: 12, 38: 6, 39: 2, 41: 8, 42: 15, 49: 3, 52: 8, 55: "LLLVAR", 70: 3, 90: 42,
    }

    def __init__(self, encoding):
        self.encoding = encoding
        self.table = {}
        for bit, form in self.LENGTHS.items():
            fixed = isinstance(form, int)
            self.table[str(bit)] = {"field_type": "FIXED" if fixed else form, "field_length": form if fixed else 0}
        self.table["55"]["field_processor"] = "ICC"

    def encode(self, mti, fields):
        from cardutil import iso8583
        values = {"DE%d" % k: bytes.fromhex(v) if k in BINARY else v for k, v in fields.items()}
        return iso8583.dumps({"MTI": mti, **values}, encoding=self.encoding, iso_config=self.table)

    def decode(self, raw):
        from cardutil import iso8583
        found = iso8583.loads(raw, encoding=self.encoding, iso_config=self.table)
        values = {int(k[2:]): v for k, v in found.items() if k.startswith("DE")}
        return found["MTI"], {k: v.hex().upper() if isinstance(v, bytes) else v for k, v in values.items()}


class Py8583:
    """py8583 1.3. It takes hex digits for bytes and then finds them too long, so that lengths count digits for writing."""

    def __init__(self, name):
        from py8583 import py8583spec
        self.specification = getattr(py8583spec, name)()

    def encode(self, mti, fields):
        from py8583.py8583 import Iso8583
        self.specification.MaxLength(52, 16)
        message = Iso8583(IsoSpec=self.specification)
        message.MTI(mti)
        for bit, value in fields.items():
            content = self.specification.ContentType(bit)
            is_number = content == "n" and bit not in (2, 32)
            message.FieldData(bit, int(value) if is_number else value)
            message.Field(bit, 1)
        return bytes(message.BuildIso())

    def decode(self, raw):
        from py8583.py8583 import Iso8583
        self.specification.MaxLength(52, 8)
        message = Iso8583(raw, self.specification)
        found = {}
        for bit, present in message.Bitmap().items():
            if not present or bit == 1:
                continue
            value = message.FieldData(bit)
            fixed = self.specification.LengthType(bit).name == "FIXED"
            found[bit] = str(value).zfill(self.specification.MaxLength(bit)) if fixed and isinstance(value, int) else str(value)
        return message.MTI(), found


LIBRARIES = {
    "pyiso8583": PyISO8583,
    "iso8583sim-ascii-binary": lambda _: ISO8583Sim("ascii-binary"),
    "iso8583sim-ascii-hex": lambda _: ISO8583Sim("ascii-hex"),
    "iso8583sim-bcd": lambda _: ISO8583Sim("bcd"),
    "iso8583sim-cp037": lambda _: ISO8583Sim("ebcdic", "cp037"),
    "iso8583sim-cp500": lambda _: ISO8583Sim("ebcdic", "cp500"),
    "iso-8583-toolbox": lambda _: Toolbox(),
    "cardutil": lambda _: Cardutil("latin_1"),
    "cardutil-ebcdic": lambda _: Cardutil("cp500"),
    "py8583-ascii": lambda _: Py8583("IsoSpec1987ASCII"),
    "py8583-bcd": lambda _: Py8583("IsoSpec1987BCD"),
}


class Run:
    def __init__(self, name, library, port, zpk, first, capture=None):
        self.name, self.library, self.zpk, self.stan, self.failed = name, library, bytes.fromhex(zpk), first, 0
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.capture = open(capture, "w") if capture else None

    def record(self, direction, frame):
        if self.capture:
            self.capture.write(direction + "\n")
            for start in range(0, len(frame), 16):
                self.capture.write("%06x %s\n" % (start, frame[start:start + 16].hex(" ")))

    def receive(self, count):
        received = b""
        while len(received) < count:
            more = self.socket.recv(count - len(received))
            if not more:
                raise ConnectionError("the host closed the connection")
            received += more
        return received

    def ask(self, what, mti, fields, code="00", echoed=(2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49)):
        """One exchange: the answer has to come, be read by the library, and say what is expected."""
        problems, answer = [], {}
        try:
            raw = self.library.encode(mti, fields)
            frame = len(raw).to_bytes(2, "big") + raw
            self.socket.sendall(frame)
            self.record("I", frame)
            length = self.receive(2)
            raw = self.receive(int.from_bytes(length, "big"))
            self.record("O", length + raw)
            found, answer = self.library.decode(raw)
            wanted = "%04d" % (int(mti) // 10 * 10 + 10)
            problems += [] if found == wanted else ["MTI %s, not %s" % (found, wanted)]
            problems += [] if answer.get(39) == code else ["DE39 %s, not %s" % (answer.get(39), code)]
            problems += ["DE%d is not that of the request" % e for e in echoed if e in fields and answer.get(e) != fields[e]]
        except Exception as error:
            problems.append("%s: %s" % (type(error).__name__, error))
        self.note(what, problems)
        return answer

    def note(self, what, problems):
        self.failed += bool(problems)
        print("FAILED" if problems else "ok", self.name, what, "; ".join(problems))

    def numbers(self):
        self.stan += 1
        return {7: time.strftime("%m%d%H%M%S", time.gmtime()), 11: "%06d" % self.stan}

    def all(self, card):
        self.ask("echo", "0800", {**self.numbers(), 70: "301"})
        tags, signed = card.sign(1500)
        local = time.localtime()
        chip = "".join(tag + "%02X" % (len(value) // 2) + value for tag, value in tags.items())
        block = psec.des.encrypt_tdes_ecb(self.zpk, psec.pinblock.encode_pinblock_iso_0(card.pin, card.pan))
        purchase = {
            2: card.pan, 3: "000000", 4: "%012d" % 1500, **self.numbers(), 12: time.strftime("%H%M%S", local),
            13: time.strftime("%m%d", local), 14: card.expiry, 18: "5411", 22: "051", 23: "0" + card.psn, 25: "00",
            32: "123456", 35: card.pan + "=" + card.expiry + "20100000000", 37: "%012d" % self.stan, 41: "TERM0001",
            42: "MERCHANT0000001", 49: "752", 52: block.hex().upper(), 55: chip,
        }
        first = self.ask("purchase with PIN and chip", "0100", purchase)
        answer = tlv.decode(bytes.fromhex(first.get(55, "")))
        self.note("its ARPC", [] if card.verifies(bytes(answer.get("91", b"")), signed) else ["missing or wrong"])
        self.note("its DE38", [] if len(first.get(38, "")) == 6 else ["missing"])
        again = self.ask("its repeat", "0101", purchase)
        same = (again.get(38), again.get(55)) == (first.get(38), first.get(55))
        self.note("the repeat's answer", [] if same else ["is not the first one's"])
        kept = (2, 3, 4, 12, 13, 14, 22, 23, 32, 37, 41, 42, 49)
        original = "0100" + purchase[11] + purchase[7] + purchase[32].zfill(11) + "0" * 11
        reversal = {**{e: purchase[e] for e in kept}, **self.numbers(), 90: original}
        self.ask("reversal", "0400", reversal)
        self.ask("reversal again", "0401", reversal)
        wrong = {**purchase, **self.numbers(), 37: "%012d" % self.stan, 55: chip[:-2]}
        self.ask("chip data cut short", "0100", wrong, code="30")
        self.ask("echo at the end", "0800", {**self.numbers(), 70: "301"})


def main():
    issuer = json.load(open(sys.argv[1]))
    specifications = json.load(open(sys.argv[2]))["specs"]
    name, port = sys.argv[3], int(sys.argv[4])
    card = next(Card(c, issuer["keys"]) for c in issuer["cards"] if c["name"] == "mchip-14h")
    # Counters of a card go on where another library stopped.
    card.atc = 100 + 10 * list(LIBRARIES).index(name)
    first = 200000 + 1000 * list(LIBRARIES).index(name)
    run = Run(name, LIBRARIES[name](specifications), port, issuer["keys"]["zpk-acquirer-a"]["value"], first, *sys.argv[5:6])
    run.all(card)
    print("failed: %d" % run.failed)
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
