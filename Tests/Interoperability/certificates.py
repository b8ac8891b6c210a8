"""Recovers every certificate of a bureau's file with plain integers: it shares no code with the product.

usage: certificates.py BUREAU.json CA-KEYS.json
Prints how many cards, or the first one that does not hold (by its place, never its number), and exits 1.
"""
import hashlib
import json
import sys


def objects(data):
    """BER-TLV of one level, in order."""
    found, at = [], 0
    while at < len(data):
        start = at
        at += 1
        if data[start] & 0x1F == 0x1F:
            while data[at] & 0x80:
                at += 1
            at += 1
        tag = data[start:at].hex().upper()
        count = data[at]
        at += 1
        if count > 0x80:
            size = count - 0x80
            count = int.from_bytes(data[at : at + size], "big")
            at += size
        found.append((tag, data[at : at + count]))
        at += count
    return found


def recover(signature, modulus, exponent, kind, tail):
    number = pow(int.from_bytes(signature, "big"), int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
    block = number.to_bytes(len(modulus), "big")
    assert len(signature) == len(modulus), "length"
    assert block[0] == 0x6A and block[1] == kind and block[-1] == 0xBC, "form"
    assert hashlib.sha1(block[1:-21] + tail).digest() == block[-21:-1], "hash"
    return block


def key(block, head, remainder):
    assert block[head - 3] == 1, "algorithm"
    return (block[head:-21] + remainder)[: block[head - 2]]


def check(card, authorities):
    application = card["application"]
    records = {(r["file"], r["number"]): bytes.fromhex(r["data"]) for r in application["records"]}
    tags = {t: v for data in records.values() for t, v in objects(objects(data)[0][1])}
    locator, static = bytes.fromhex(application["locator"]), b""
    for at in range(0, len(locator), 4):
        file, first, _, marked = locator[at] >> 3, *locator[at + 1 : at + 4]
        for number in range(first, first + marked):
            static += objects(records[file, number])[0][1]
    assert tags["9F4A"] == b"\x82", "tag list"
    static += bytes.fromhex(application["interchangeProfile"])
    digits = tags["5A"].hex().rstrip("f")
    assert digits == card["pan"], "account"
    fitting = [a for a in authorities if int(a["index"], 16) == tags["8F"][0]]
    for authority in fitting:
        try:
            modulus, exponent = bytes.fromhex(authority["modulus"]), bytes.fromhex(authority["exponent"])
            block = recover(tags["90"], modulus, exponent, 2, tags.get("92", b"") + tags["9F32"])
            break
        except AssertionError:
            continue
    else:
        raise AssertionError("no CA key")
    assert digits.startswith(block[2:6].hex().rstrip("f")), "identifier"
    issuer = key(block, 15, tags.get("92", b""))
    if "93" in tags:
        recover(tags["93"], issuer, tags["9F32"], 3, static)
    if "9F46" in tags:
        rest = tags.get("9F48", b"") + tags["9F47"]
        block = recover(tags["9F46"], issuer, tags["9F32"], 4, rest + static)
        assert block[2:12].hex().rstrip("f") == digits, "card"
        assert len(key(block, 21, tags.get("9F48", b""))) == block[19], "key"
    if "9F2D" in tags:
        recover(tags["9F2D"], issuer, tags["9F32"], 4, tags.get("9F2F", b"") + tags["9F2E"])


def main():
    cards = json.load(open(sys.argv[1]))["cards"]
    authorities = json.load(open(sys.argv[2]))["keys"]
    for place, card in enumerate(cards):
        try:
            check(card, authorities)
        except AssertionError as fault:
            sys.exit(f"card {place + 1}: {fault}")
    print(f"{len(cards)} cards recovered")


main()
