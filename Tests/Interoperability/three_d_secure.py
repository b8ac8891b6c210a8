"""What `issuer-keys authentication-value` and `acs-sign` make, held against Python's own hmac, psec, jwcrypto and OpenSSL.

    three_d_secure.py ISSUER_KEYS CONFIG DEMO_ISSUER FOLDER

Prints a line a check and how many failed in the end.
"""
import base64, hashlib, hmac, json, math, subprocess, sys

from jwcrypto import jwk, jws
import psec

issuer_keys, config, issuer, folder = sys.argv[1:5]
keys = json.load(open(issuer))
failed = 0


def check(name, holds):
    global failed
    failed += not holds
    print(("ok " if holds else "FAILED ") + name)


def command(*words, lines=None):
    text = None if lines is None else "".join(json.dumps(line) + "\n" for line in lines)
    return subprocess.run([issuer_keys, *words, "--config", config], input=text, capture_output=True, text=True)


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, capture_output=True)


# Authentication values.
cvk = bytes.fromhex(keys["keys"]["av-cvk-476173"]["value"])
secret = bytes.fromhex(keys["hmacKeys"]["av-hmac-541333"]["value"])
pans = {card["name"]: card["pan"] for card in keys["cards"]}


def cavv(wish):
    atn, code = "%016d" % wish["number"], {"authenticated": "0", "attempted": "7", "failed": "9"}[wish["status"]]
    second = "%02d" % wish["method"]
    digits = psec.cvv.generate_cvv(cvk, wish["pan"][-16:], atn[-4:], code + second)
    return bytes.fromhex("0" + code + second + "01" + "0" + digits + atn[-4:] + atn + "00" * 5)


def iav(wish):
    amount = wish["amount"]
    coded = amount if amount <= 14000 else math.floor(math.log10(amount / 100) * 6553.6)
    bound = hashlib.sha256(wish["merchant"].encode()).digest()[:4] + coded.to_bytes(2, "big")
    bound += bytes.fromhex("0" + wish["currency"]) + wish["number"].to_bytes(4, "big")
    proof = hmac.new(secret, bytes.fromhex(wish["pan"].ljust(20, "F")) + bound, "sha256").digest()[:4]
    return bytes.fromhex("C604") + proof + bound + b"\0\0"


wishes = [
    {"pan": pans["visa-cvn18"], "number": n * 7919, "status": s, "method": m}
    for n, s, m in [(1, "authenticated", 2), (2, "attempted", 98), (3, "failed", 0), (1_000_000_000_000, "authenticated", 97)]
] + [
    {"pan": pans["mchip-14h"], "number": 1_795_000_000 + n, "merchant": m, "amount": a, "currency": c}
    for n, m, a, c in [(0, "Test Shop 1", 1000, "752"), (1, "Smörgås & Co", 14000, "978"), (2, "A", 14001, "840"), (3, "B", 999999999999, "392")]
]
made = command("authentication-value", lines=wishes)
answers = [json.loads(line) for line in made.stdout.splitlines()]
check("authentication-value ends well", made.returncode == 0 and len(answers) == len(wishes))
for wish, answer in zip(wishes, answers):
    expected = cavv(wish) if "status" in wish else iav(wish)
    check("value %s" % answer["form"], answer["hex"] == expected.hex().upper())
    check("base64 %s" % answer["form"], base64.b64decode(answer["value"]) == expected)
bad = command("authentication-value", lines=[{"pan": pans["mchip-14h"], "number": 1, "amount": 5, "currency": "752"}, wishes[0], {"number": 1}])
errors = [json.loads(line) for line in bad.stdout.splitlines()]
check("faults stand in their places", bad.returncode != 0 and "merchant" in errors[0].get("error", "") and "value" in errors[1] and "pan" in errors[2].get("error", ""))
check("no PAN in what is said", not any(pan in bad.stdout + bad.stderr + made.stdout for pan in pans.values()))

# Signed content.
content = {
    "acsURL": "https://acs.bank.example/app", "acsEphemPubKey": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "BB"},
    "sdkEphemPubKey": {"kty": "EC", "crv": "P-256", "x": "CC", "y": "DD"},
}
root = folder + "/acs-root"
openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Test root", "-days", "30", "-keyout", root + ".key", "-out", root + ".pem")


def certify(name):
    request, certificate, chain = (f"{folder}/{name}.{ending}" for ending in ("csr", "pem", "chain"))
    asked = command("acs-sign", "request", name, "--subject", "CN=acs.bank.example,O=Bank,C=SE", "--out", request)
    check(f"{name}: request", asked.returncode == 0)
    signed = openssl("x509", "-req", "-in", request, "-CA", root + ".pem", "-CAkey", root + ".key", "-days", "30", "-out", certificate)
    check(f"{name}: OpenSSL takes the request", signed.returncode == 0)
    open(chain, "w").write(open(certificate).read() + open(root + ".pem").read())
    check(f"{name}: OpenSSL takes the chain", openssl("verify", "-CAfile", root + ".pem", certificate).returncode == 0)
    return certificate, chain


def verify(name, algorithm):
    certificate, chain = certify(name)
    # As many as several sessions share.
    contents = [dict(content, number=n) for n in range(200)]
    run = command("acs-sign", "--key", name, "--chain", chain, lines=contents)
    signed = [json.loads(line)["jws"] for line in run.stdout.splitlines()]
    check(f"{name}: two hundred signatures", run.returncode == 0 and len(signed) == 200)
    public = openssl("x509", "-in", certificate, "-noout", "-pubkey").stdout
    open(f"{folder}/{name}.pub", "wb").write(public)
    for text, sent in zip(signed, contents):
        token = jws.JWS()
        token.deserialize(text)
        head = json.loads(token.objects["protected"])
        leaf = base64.b64decode(head["x5c"][0])
        token.verify(jwk.JWK.from_pem(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(leaf) + b"-----END CERTIFICATE-----\n"))
        check(f"{name}: jwcrypto", head["alg"] == algorithm and len(head["x5c"]) == 2 and json.loads(token.payload) == sent)
    body, _, signature = signed[0].rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    if algorithm == "ES256":
        numbers = [part.lstrip(b"\0") for part in (raw[:32], raw[32:])]
        encoded = b"".join(bytes([2, len(n) + (n[0] >> 7)]) + b"\0" * (n[0] >> 7) + n for n in numbers)
        raw, options = bytes([0x30, len(encoded)]) + encoded, []
    open(f"{folder}/{name}.sig", "wb").write(raw)
    words = ["dgst", "-sha256", "-verify", f"{folder}/{name}.pub", "-signature", f"{folder}/{name}.sig", *options]
    check(f"{name}: OpenSSL", openssl(*words, data=body.encode()).returncode == 0)
    check(f"{name}: OpenSSL refuses another text", openssl(*words, data=body.encode() + b"A").returncode != 0)
    other = command("acs-sign", "--key", name, "--chain", root + ".pem", lines=[content])
    check(f"{name}: another key's certificate is refused", other.returncode != 0 and "another key" in other.stderr)
    poor = command("acs-sign", "--key", name, "--chain", chain, "--sessions", "3", lines=contents[:150] + [{"acsURL": "x"}] + contents[150:])
    places = [json.loads(line) for line in poor.stdout.splitlines()]
    check(f"{name}: other texts are refused, in their places",
          poor.returncode != 0 and [n for n, place in enumerate(places) if "jws" not in place] == [150] and "acsEphemPubKey" in places[150]["error"])


for name, words, algorithm in [("one", ["--algorithm", "ES256"], "ES256"), ("two", ["--algorithm", "PS256"], "PS256")]:
    check(f"{name}: made", command("acs-sign", "generate", name, *words).returncode == 0)
    again = command("acs-sign", "generate", name, *words)
    check(f"{name}: never written over", again.returncode != 0 and "is in the token already" in again.stderr)
    verify(name, algorithm)

# Keys that were made elsewhere come in under an AES zone master key, whose value only the test knows.
transport = "00112233445566778899AABBCCDDEEFF102132435465768798A9BACBDCEDFE0F"
for name, algorithm, make in [
    ("three", "PS256", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("four", "ES256", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
]:
    key, public, wrapped = (f"{folder}/{name}.{ending}" for ending in ("key", "spki", "wrapped"))
    openssl(*make, "-out", key)
    openssl("pkey", "-in", key, "-pubout", "-outform", "DER", "-out", public)
    clear = openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER").stdout
    open(wrapped, "wb").write(openssl("enc", "-aes-256-cbc", "-K", transport, "-iv", "0" * 32, data=clear).stdout)
    words = ["--algorithm", algorithm, "--under", "zmk-acs", "--wrapped", wrapped, "--public", public]
    taken = command("acs-sign", "import", name, *words)
    check(f"{name}: imported {taken.stderr.strip()}", taken.returncode == 0)
    if taken.returncode == 0:
        verify(name, algorithm)
    openssl(*make, "-out", folder + "/other.key")
    openssl("pkey", "-in", folder + "/other.key", "-pubout", "-outform", "DER", "-out", folder + "/other.spki")
    refused = command("acs-sign", "import", name + "-x", *words[:-1], folder + "/other.spki")
    check(f"{name}: another key's public half is refused", refused.returncode != 0 and "nothing was left" in refused.stderr)
    refused = command("acs-sign", "import", name + "-x", "--algorithm", "PS256" if algorithm == "ES256" else "ES256", *words[2:])
    check(f"{name}: a key of another kind is refused", refused.returncode != 0 and "is not one that signs" in refused.stderr)

command("audit", "--json", folder + "/audit.json")
report = json.load(open(folder + "/audit.json"))
signing = {"acs-sign-" + name for name in ("one", "two", "three", "four")}
check("the audit knows the keys", {key["label"] for key in report["keys"] if key["label"].startswith("acs-sign-")} == signing)
against = [f for f in report["findings"] if f.get("key") in signing and not f["accepted"]]
check(f"the audit has nothing against them {against}", not against)
print("failed: %d" % failed)
