"""Cards and their private keys: for a core to be searched for.

    card-keys.py list COUNT            a list of cards for `issuer-keys personalise`, on standard output
    card-keys.py open BUREAU KEY       the components of every private key in a bureau's file, opened under the data
                                       encryption key KEY (double-length triple DES in hex): JSON, name to hex
"""
import json
import subprocess
import sys


def luhn(digits):
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


def cards(count):
    for number in range(count):
        begin = f"476173{number:09d}"
        yield {"pan": begin + luhn(begin), "panSequenceNumber": "01", "expiry": "2912",
               "cryptogramProfile": "visa-cvn18", "issuerApplicationData": "06011203A0B800"}


def components(path, key):
    enciphered = []
    for number, card in enumerate(json.load(open(path))["cards"], 1):
        for kind in ("privateKey", "pinPrivateKey"):
            for identifier, data in (card["application"].get(kind) or {"components": {}})["components"].items():
                enciphered.append((f"card {number} {kind} {identifier}", bytes.fromhex(data)))
    # Block by block, so all of them in one go.
    clear = subprocess.run(["openssl", "enc", "-d", "-des-ede3", "-nopad", "-K", key + key[:16]],
                           input=b"".join(data for _, data in enciphered), stdout=subprocess.PIPE, check=True).stdout
    at = 0
    for name, data in enciphered:
        part = clear[at:at + len(data)].rstrip(b"\0")
        at += len(data)
        if part[-1:] != b"\x80":
            sys.exit(f"{name}: does not open under this key")
        yield name, part[:-1].hex().upper()


if sys.argv[1] == "list":
    json.dump({"cards": list(cards(int(sys.argv[2])))}, sys.stdout, indent=1)
else:
    json.dump(dict(components(sys.argv[2], sys.argv[3])), sys.stdout)
