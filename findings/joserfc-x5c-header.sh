#!/usr/bin/env bash
# A signed content of an access control server (EMV 3-D Secure) is a JWS whose protected header carries the certificate
# chain (x5c, RFC 7515 4.1.6). One certificate is longer than the header that joserfc reads by default.
# Needs python3 with venv, and PyPI. Exit code 1 if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install joserfc==1.8.0 cryptography==46.0.3 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import base64
import datetime
import sys

import joserfc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey

private = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acs.example")])
now = datetime.datetime.now(datetime.timezone.utc)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    .sign(private, hashes.SHA256())
)
chain = [base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()]
key = ECKey.import_key(private.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

print(f"joserfc {joserfc.__version__}, JWS with ES256 and an x5c of one P-256 certificate")
print("expected: what the library signs, the library reads")
short = jws.serialize_compact({"alg": "ES256"}, b"{}", key, algorithms=["ES256"])
jws.deserialize_compact(short, key, algorithms=["ES256"])
print("seen:     without x5c it is read")
token = jws.serialize_compact({"alg": "ES256", "x5c": chain}, b"{}", key, algorithms=["ES256"])
try:
    jws.deserialize_compact(token, key, algorithms=["ES256"])
except Exception as error:
    print(f"seen:     with x5c: {type(error).__name__}: {error}")
    size = len(token.split(".")[0])
    print(f"          its header has {size} characters")
    sys.exit(0)
print("seen:     with x5c it is read as well")
sys.exit(1)
PYTHON
