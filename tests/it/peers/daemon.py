"""A real SMTP daemon (aiosmtpd) that demands STARTTLS and AUTH and writes down what it took: daemon.py PORT FOLDER."""
import asyncio, datetime, ipaddress, json, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

port, folder = int(sys.argv[1]), sys.argv[2]


def certificate():
    now = datetime.datetime.now(datetime.timezone.utc)
    name = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    base = lambda subject, public: (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("test authority")).public_key(public)
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=2)))
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = base("test authority", ca_key.public_key()).add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True).sign(ca_key, hashes.SHA256())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = base("localhost", key.public_key()).add_extension(x509.BasicConstraints(False, None), True).add_extension(names, False).sign(ca_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    open(f"{folder}/ca.pem", "wb").write(ca.public_bytes(pem))
    open(f"{folder}/leaf.pem", "wb").write(leaf.public_bytes(pem))
    open(f"{folder}/leaf.key", "wb").write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/leaf.pem", f"{folder}/leaf.key")
    return context


class Handler:
    async def handle_DATA(self, server, session, envelope):
        line = {"rcpt": envelope.rcpt_tos, "tls": session.ssl is not None, "user": (session.auth_data.login.decode() if session.auth_data else None), "size": len(envelope.content)}
        with open(f"{folder}/received.jsonl", "a") as out:
            out.write(json.dumps(line) + "\n")
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"robot", b"right")
    return AuthResult(success=right, auth_data=data if right else None, handled=False)


controller = Controller(Handler(), hostname="localhost", port=port, tls_context=certificate(), require_starttls=True, auth_required=True, authenticator=authenticate)
controller.start()
asyncio.new_event_loop().run_forever()
