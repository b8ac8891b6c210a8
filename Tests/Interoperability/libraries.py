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


# What ISO 8583:1993 has of the elements that are sent here: L's of the length, most digits or characters, type.
TABLE_1993 = {
    2: (2, 19, "n"), 3: (0, 6, "n"), 4: (0, 12, "n"), 7: (0, 10, "n"), 11: (0, 6, "n"), 12: (0, 12, "n"), 14: (0, 4, "n"),
    22: (0, 12, "an"), 23: (0, 3, "n"), 24: (0, 3, "n"), 25: (0, 4, "n"), 26: (0, 4, "n"), 30: (0, 24, "n"),
    32: (2, 11, "n"), 35: (2, 37, "z"), 37: (0, 12, "an"), 38: (0, 6, "an"), 39: (0, 3, "n"), 41: (0, 8, "ans"),
    42: (0, 15, "ans"), 49: (0, 3, "an"), 52: (0, 8, "b"), 55: (3, 255, "b"), 56: (2, 35, "n"), 59: (3, 999, "ans"),
}


class PyISO8583Of1993(PyISO8583):
    """pyiso8583 4.0.1 with a specification of our own: it brings none of 1993. ASCII, or packed digits."""

    def __init__(self, packed):
        import iso8583
        self.iso8583 = iso8583

        def field(ls, most, kind):
            found = {"data_enc": "ascii", "len_enc": "bcd" if packed else "ascii", "len_type": ls, "max_len": most, "desc": kind}
            if packed and kind == "n":
                found.update(data_enc="b", len_count="nibbles", right_pad="0")
            elif kind == "b" and (packed or ls):
                found["data_enc"] = "b"
            elif kind == "b":
                found["max_len"] = 2 * most
            if packed and ls:
                found["len_type"] = (ls + 1) // 2
            return found

        self.specification = {str(bit): field(*row) for bit, row in TABLE_1993.items()}
        self.specification["h"] = field(0, 0, "header")
        form = "b" if packed else "ascii"
        for name, most in (("t", 4), ("p", 16), ("1", 16)):
            self.specification[name] = {**field(0, most // 2 if packed else most, name), "data_enc": form}


class CardutilOf1993(Cardutil):
    """cardutil 0.7.3 with the table that it brings, which is of 1993, and what authorisation needs beside it."""

    def __init__(self):
        from cardutil.config import config
        self.encoding = "latin_1"
        self.table = {bit: dict(row) for bit, row in config["bit_config"].items()}
        for bit in (7, 11, 35, 39, 52, 56):
            ls, most, _ = TABLE_1993[bit]
            self.table[str(bit)] = {"field_type": "LLVAR" if ls else "FIXED", "field_length": 0 if ls else most}

    def encode(self, mti, fields):
        from datetime import datetime
        typed = {bit: int(fields[bit]) for bit in (4, 26) if bit in fields}
        if 12 in fields:
            typed[12] = datetime.strptime(fields[12], "%y%m%d%H%M%S")
        return super().encode(mti, {**fields, **typed})

    def decode(self, raw):
        mti, found = super().decode(raw)
        for bit in (4, 26):
            if bit in found:
                found[bit] = str(found[bit]).zfill(TABLE_1993[bit][1])
        if 12 in found:
            found[12] = found[12].strftime("%y%m%d%H%M%S")
        return mti, found


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
    "pyiso8583-1993": lambda _: PyISO8583Of1993(packed=False),
    "pyiso8583-1993-bcd": lambda _: PyISO8583Of1993(packed=True),
    "cardutil-1993": lambda _: CardutilOf1993(),
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
            wanted = "%04d" % (int(mti) // 2 * 2 + 10)
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

    def tell(self, what, mti, fields):
        """A notification: nothing answers it, so that the next answer is another message's."""
        problems = []
        try:
            raw = self.library.encode(mti, fields)
            self.socket.sendall(len(raw).to_bytes(2, "big") + raw)
        except Exception as error:
            problems.append("%s: %s" % (type(error).__name__, error))
        self.note(what, problems)

    def all1993(self, card):
        local = time.strftime("%y%m%d%H%M%S")
        echo = {12: local, 24: "831"}
        self.ask("echo", "1804", {**self.numbers(), **echo}, code="800", echoed=(7, 11, 12, 24))
        tags, signed = card.sign(1500)
        chip = "".join(tag + "%02X" % (len(value) // 2) + value for tag, value in tags.items())
        block = psec.des.encrypt_tdes_ecb(self.zpk, psec.pinblock.encode_pinblock_iso_0(card.pin, card.pan))
        purchase = {
            2: card.pan, 3: "000000", 4: "%012d" % 1500, **self.numbers(), 12: local, 14: card.expiry, 22: "51010151334C",
            23: "0" + card.psn, 24: "100", 26: "5411", 32: "123456", 35: card.pan + "=" + card.expiry + "20100000000",
            37: "%012d" % self.stan, 41: "TERM0001", 42: "MERCHANT0000001", 49: "752", 52: block.hex().upper(), 55: chip,
        }
        echoed = (2, 3, 4, 7, 11, 12, 23, 32, 37, 41, 42, 49, 56)
        first = self.ask("purchase with PIN and chip", "1100", purchase, code="000", echoed=echoed)
        answer = tlv.decode(bytes.fromhex(first.get(55, "")))
        self.note("its ARPC", [] if card.verifies(bytes(answer.get("91", b"")), signed) else ["missing or wrong"])
        self.note("its DE38", [] if len(first.get(38, "")) == 6 else ["missing"])
        again = self.ask("its repeat", "1101", purchase, code="000", echoed=echoed)
        same = (again.get(38), again.get(55)) == (first.get(38), first.get(55))
        self.note("the repeat's answer", [] if same else ["is not the first one's"])
        kept = (2, 3, 4, 14, 22, 23, 26, 32, 41, 42, 49)
        original = "1100" + purchase[11] + purchase[12] + "06" + purchase[32]
        later = {**{e: purchase[e] for e in kept}, 12: time.strftime("%y%m%d%H%M%S"), 25: "4000", 56: original}
        part = {**later, **self.numbers(), 4: "%012d" % 500, 24: "401", 30: "%012d" % 1500 + "0" * 12}
        self.ask("reversal of a part", "1420", part, code="400", echoed=echoed)
        reversal = {**later, **self.numbers(), 24: "400"}
        self.ask("reversal of the rest", "1420", reversal, code="400", echoed=echoed)
        self.ask("reversal again", "1421", reversal, code="400", echoed=echoed)
        long_ago = time.strftime("%y%m%d%H%M%S", time.localtime(time.time() - 90 * 86400))
        stray = {**reversal, **self.numbers(), 56: "1100999999" + long_ago}
        self.ask("reversal of what is too long ago", "1420", stray, code="914", echoed=echoed)
        typed = {e: purchase[e] for e in (2, 3, 4, 12, 14, 26, 32, 41, 42, 49)}
        told = {**typed, **self.numbers(), 22: "600020600140", 24: "200", 25: "1004", 37: "%012d" % self.stan, 39: "000"}
        self.ask("advice of what was approved elsewhere", "1220", told, code="900", echoed=echoed)
        self.tell("notification of the same", "1241", {**told, 7: time.strftime("%m%d%H%M%S", time.gmtime())})
        gone = {**told, 24: "400", 25: "4000", **self.numbers(), 56: "1220" + told[11] + told[12]}
        self.tell("notification that it was undone", "1440", {e: v for e, v in gone.items() if e != 39})
        wrong = {**purchase, **self.numbers(), 37: "%012d" % self.stan, 55: chip[:-2]}
        self.ask("chip data cut short", "1100", wrong, code="904", echoed=echoed)
        self.ask("echo at the end", "1804", {**self.numbers(), **echo}, code="800", echoed=(7, 11, 12, 24))


def main():
    issuer = json.load(open(sys.argv[1]))
    specifications = json.load(open(sys.argv[2]))["specs"]
    name, port = sys.argv[3], int(sys.argv[4])
    card = next(Card(c, issuer["keys"]) for c in issuer["cards"] if c["name"] == "mchip-14h")
    # Counters of a card go on where another library stopped.
    card.atc = 100 + 10 * list(LIBRARIES).index(name)
    first = 200000 + 1000 * list(LIBRARIES).index(name)
    run = Run(name, LIBRARIES[name](specifications), port, issuer["keys"]["zpk-acquirer-a"]["value"], first, *sys.argv[5:6])
    (run.all1993 if "1993" in name else run.all)(card)
    print("failed: %d" % run.failed)
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
