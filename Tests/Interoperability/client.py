"""An acquirer switch made of other people's libraries: pyiso8583 builds and reads the messages, pyemv the cryptograms.

    client.py ISSUER SPECIFICATIONS NAME:FRAMING:ZPK:PORT ...

ISSUER is the demo issuer's file, SPECIFICATIONS the pyiso8583 specifications of the shared vectors, NAME one of those,
FRAMING 2be or 4ascii. Prints a line for each exchange; the status is 1 if one went wrong. Never prints card data.
"""
import json
import os
import socket
import sys
import time

import iso8583
import psec
from pyemv import ac, kd, tlv

SIGNED = ("9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36")


class Profile:
    """How a card signs, and what its issuer answers with (EMV Book 2, 8.1 and 8.2; the brands' own rules for the rest)."""

    def __init__(self, iad_part, padding, session, answer_session, method):
        self.iad_part, self.padding = iad_part, padding
        self.session, self.answer_session, self.method = session, answer_session, method


def master(key, atc, number):
    return key


def common(key, atc, number):
    return kd.derive_common_sk(key, atc + bytes(6))


def mastercard(key, atc, number):
    return kd.derive_common_sk(key, atc + bytes(2) + number)


VISA, EMV = ac.PaddingType.VISA, ac.PaddingType.EMV
PROFILES = {
    "visa-cvn10": Profile(lambda iad: iad[3:7], VISA, master, master, 1),
    "visa-cvn18": Profile(lambda iad: iad, EMV, common, common, 2),
    "visa-cvn22": Profile(lambda iad: iad, EMV, common, common, 2),
    "mc-cvn10h": Profile(lambda iad: iad[2:8], EMV, mastercard, master, 1),
    "mc-cvn11h": Profile(lambda iad: iad[2:8] + iad[10:18], EMV, mastercard, master, 1),
    "mc-cvn14h": Profile(lambda iad: iad[2:8], EMV, common, common, 1),
    "mc-cvn15h": Profile(lambda iad: iad[2:8] + iad[10:18], EMV, common, common, 1),
    "ccd": Profile(lambda iad: iad, EMV, common, common, 2),
}


class Card:
    def __init__(self, data, keys):
        self.name, self.pan, self.psn = data["name"], data["pan"], data["panSequenceNumber"]
        self.expiry, self.pin = data["expiry"], data["pin"]
        self.iad = bytes.fromhex(data["issuerApplicationData"])
        self.profile = PROFILES[data["cryptogramProfile"]]
        imk = bytes.fromhex(keys["imk-ac-" + self.pan[:6]]["value"])
        self.key = kd.derive_icc_mk_a(imk, self.pan, self.psn)
        self.atc = 0

    def sign(self, amount, atc=None, zeros=None):
        """Chip data for DE55, and what the answer is checked with; the object `zeros` is signed as zeros."""
        if atc is None:
            self.atc += 1
            atc = self.atc
        tags = {
            "9F02": "%012d" % amount, "9F03": "0" * 12, "9F1A": "0752", "95": "0000008000", "5F2A": "0752",
            "9A": "261124", "9C": "00", "9F37": os.urandom(4).hex().upper(), "82": "3900", "9F36": "%04X" % atc,
        }
        if zeros:
            tags[zeros] = "0" * len(tags[zeros])
        number, counter = bytes.fromhex(tags["9F37"]), bytes.fromhex(tags["9F36"])
        data = b"".join(bytes.fromhex(tags[tag]) for tag in SIGNED) + self.profile.iad_part(self.iad)
        cryptogram = ac.generate_ac(self.profile.session(self.key, counter, number), data, self.profile.padding)
        tags.update({"9F26": cryptogram.hex().upper(), "9F27": "80", "9F10": self.iad.hex().upper()})
        tags.update({"9F34": "020300", "5F34": self.psn})
        return tags, (cryptogram, self.profile.answer_session(self.key, counter, number))

    def verifies(self, answer, signed):
        """Whether tag 91 was made by this card's issuer over this card's cryptogram."""
        cryptogram, key = signed
        if self.profile.method == 1:
            return answer == ac.generate_arpc_1(key, cryptogram, answer[8:]) + answer[8:]
        return answer == ac.generate_arpc_2(key, cryptogram, answer[4:8], answer[8:]) + answer[4:]


class Link:
    def __init__(self, specification, name, framing, zpk, port, first):
        self.specification, self.name, self.framing, self.zpk = specification, name, framing, bytes.fromhex(zpk)
        self.socket = socket.create_connection(("127.0.0.1", int(port)), 20)
        # All links are one acquirer: no number twice.
        self.stan = first

    def ask(self, fields):
        """One exchange; the fields of the answer."""
        raw, _ = iso8583.encode(dict(fields), self.specification)
        prefix = len(raw).to_bytes(2, "big") if self.framing == "2be" else b"%04d" % len(raw)
        self.socket.sendall(prefix + bytes(raw))
        prefix = self.receive(len(prefix))
        length = int.from_bytes(prefix, "big") if self.framing == "2be" else int(prefix)
        answer, _ = iso8583.decode(self.receive(length), self.specification)
        return answer

    def receive(self, count):
        received = b""
        while len(received) < count:
            more = self.socket.recv(count - len(received))
            if not more:
                raise ConnectionError("the host closed the connection")
            received += more
        return received

    def message(self, mti, **fields):
        self.stan += 1
        message = {"t": mti, "7": time.strftime("%m%d%H%M%S", time.gmtime()), "11": "%06d" % self.stan}
        message.update({key[1:]: value for key, value in fields.items()})
        return message

    def request(self, card, amount, tags, pin=None, mti="0100", **more):
        local = time.localtime()
        separator = "D" if self.specification["35"]["data_enc"] == "b" else "="
        chip = "".join(tag + "%02X" % (len(value) // 2) + value for tag, value in tags.items())
        message = self.message(
            mti, _2=card.pan, _3="000000", _4="%012d" % amount, _12=time.strftime("%H%M%S", local),
            _13=time.strftime("%m%d", local), _14=card.expiry, _18="5411", _22="051", _23="0" + card.psn, _25="00",
            _32="123456", _35=card.pan + separator + card.expiry + "20100000000", _41="TERM0001",
            _42="MERCHANT0000001", _49="752", _55=chip)
        message["37"] = "%012d" % self.stan
        if pin:
            block = psec.pinblock.encode_pinblock_iso_0(pin, card.pan)
            message["52"] = psec.des.encrypt_tdes_ecb(self.zpk, block).hex().upper()
        message.update({key[1:]: value for key, value in more.items()})
        return message


class Run:
    ECHOED = ("2", "3", "4", "7", "11", "32", "37", "41", "42", "49")

    def __init__(self, link, cards):
        self.link, self.cards, self.failed = link, cards, 0

    def note(self, name, problems):
        self.failed += bool(problems)
        print("FAILED" if problems else "ok", self.link.name, name, "; ".join(problems))

    def exchange(self, name, message, code, card=None, signed=None, approves=None):
        answer, problems = {}, []
        try:
            answer = self.link.ask(message)
        except (OSError, iso8583.DecodeError, iso8583.EncodeError) as error:
            self.note(name, ["%s: %s" % (type(error).__name__, error)])
            return answer
        mti = "%04d" % (int(message["t"]) // 10 * 10 + 10)
        if answer.get("t") != mti:
            problems.append("MTI %s, not %s" % (answer.get("t"), mti))
        if answer.get("39") != code:
            problems.append("DE39 %s, not %s" % (answer.get("39"), code))
        problems += ["DE%s is not echoed" % e for e in self.ECHOED if e in message and answer.get(e) != message[e]]
        if approves is None:
            approves = code == "00" and mti == "0110"
        if approves and len(answer.get("38", "")) != 6:
            problems.append("no DE38")
        if signed:
            tags = tlv.decode(bytes.fromhex(answer.get("55", "")))
            if not card.verifies(bytes(tags.get("91", b"")), signed):
                problems.append("ARPC missing or wrong")
        self.note(name, problems)
        return answer

    def purchase(self, name, card, code, amount=1500, pin=None, arpc=True, atc=None, change=None):
        tags, signed = card.sign(amount, atc)
        if change:
            change(tags)
        message = self.link.request(card, amount, tags, pin)
        return message, self.exchange(name, message, code, card, signed if arpc else None)

    def network(self):
        self.exchange("sign-on", self.link.message("0800", _70="001"), "00")
        self.exchange("echo", self.link.message("0800", _70="301"), "00")

    def profiles(self):
        for card in self.cards:
            self.purchase(card.name + ", PIN", card, "00", pin=card.pin)
            self.purchase(card.name + ", no PIN", card, "00")
            wrong = card.pin[:-1] + str((int(card.pin[-1]) + 1) % 10)
            self.purchase(card.name + ", wrong PIN", card, "55", pin=wrong)
            self.purchase(card.name + ", right PIN again", card, "00", pin=card.pin)

            def flip(tags):
                tags["9F26"] = "%016X" % (int(tags["9F26"], 16) ^ 1)

            self.purchase(card.name + ", flipped ARQC", card, "88", arpc=False, change=flip)
            self.purchase(card.name + ", ATC again", card, "63", amount=1600, arpc=False, atc=card.atc - 1)
            self.purchase(card.name + ", 9F37 missing", card, "30", arpc=False, change=lambda t: t.pop("9F37"))

    def kinds(self):
        card = self.cards[1]
        message, first = self.purchase("purchase", card, "00")
        again = self.exchange("its repeat", dict(message, t="0101"), "00")
        self.note("the repeat's answer", [] if (again.get("38"), again.get("55")) == (first.get("38"), first.get("55"))
                  else ["is not the first one's"])
        self.exchange("another amount than was signed", dict(message, **{"4": "%012d" % 9}), "13", approves=False)
        self.reverse("reversal", message)
        tags, _ = card.sign(800)
        advice = self.link.request(card, 800, tags, mti="0120", _39="00")
        self.exchange("advice", advice, "00")
        self.exchange("advice again", dict(advice, t="0121"), "00")
        tags, signed = card.sign(0)
        enquiry = self.link.request(card, 0, tags, _3="310000")
        answer = self.exchange("balance enquiry", enquiry, "00", card, signed)
        self.note("DE54", [] if len(answer.get("54", "")) == 20 else ["is missing or has another length"])
        tags, signed = card.sign(2000)
        held = self.link.request(card, 2000, tags, _25="06")
        self.exchange("pre-authorisation", held, "00", card, signed)
        self.exchange("completion", self.follow(held, "0220", amount=1200), "00")

    # What DE55 leaves out, whether the card signed zeros there, the amount and the code.
    LEFT_OUT = (
        [(tag, True, 700, "00") for tag in ("9F03", "9F1A", "95", "5F2A", "9A", "9C")]
        + [(tag, False, 700, "30") for tag in ("9F02", "9F1A", "95", "5F2A", "9A", "9F37", "82", "9F36")]
        # No amount that the card did not sign; an enquiry has none.
        + [("9F02", True, 700, "13"), ("9F02", True, 0, "00")]
    )

    def left_out(self):
        """Each object that the card signs, left out, for a profile of each form of input."""
        for card in self.cards:
            for tag, zeros, amount, code in self.LEFT_OUT:
                tags, signed = card.sign(amount, zeros=tag if zeros else None)
                del tags[tag]
                name = "%s, %s left out, %s signed, amount %d" % (card.name, tag, "zeros" if zeros else "more", amount)
                message = self.link.request(card, amount, tags, _3="310000" if amount == 0 else "000000")
                # A transaction type of zeros is a purchase, and so is an enquiry of nothing.
                self.exchange(name, message, code, card, signed if code in ("00", "13") else None)

    def follow(self, message, mti, amount=None):
        """A later message about an earlier one: DE90 names it."""
        kept = ("2", "3", "4", "14", "22", "23", "32", "37", "41", "42", "49")
        later = dict(self.link.message(mti), **{e: message[e] for e in kept if e in message})
        if amount is not None:
            later["4"] = "%012d" % amount
        later["90"] = message["t"] + message["11"] + message["7"] + message["32"].zfill(11) + "0" * 11
        return later

    def reverse(self, name, message):
        reversal = self.follow(message, "0400")
        self.exchange(name, reversal, "00")
        self.exchange(name + " again", dict(reversal, t="0401"), "00")

    def faults(self):
        card = self.cards[0]
        tags, _ = card.sign(100)
        broken = self.link.request(card, 100, tags)
        broken["55"] = broken["55"][:-2]
        self.exchange("broken DE55", broken, "30")
        self.purchase("a good one after it", card, "00")


def main():
    issuer = json.load(open(sys.argv[1]))
    specifications = json.load(open(sys.argv[2]))["specs"]
    cards = [Card(c, issuer["keys"]) for c in issuer["cards"] if c["name"] not in ("blocked", "expired", "no-funds")]
    failed = 0
    for number, argument in enumerate(sys.argv[3:]):
        name, framing, zpk, port = argument.split(":")
        link = Link(specifications[name]["fields"], name, framing, issuer["keys"][zpk]["value"], port, number * 1000)
        run = Run(link, cards)
        run.network()
        run.profiles()
        run.kinds()
        if number == 0:
            run.left_out()
        run.faults()
        failed += run.failed
    print("failed: %d" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
