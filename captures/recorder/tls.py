"""Cases of TLS: nginx with a certificate of its own, asked by curl; to TCP they are all well."""

import subprocess
from pathlib import Path

from case import HANDSHAKE, Case
from lab import CLIENT, SERVER, Lab, must, pause
from programs import Program, configuration

PORT = 443
CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr info; worker_processes 1;
events {{ worker_connections 64; }}
http {{
    access_log off; default_type text/plain;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen 10.0.0.2:443 ssl;
        ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{ return 200 "hello\\n"; }}
    }}
}}
"""
UNTRUSTED, HANDSHAKE_FAILED = 60, 35
"""Exit codes of curl."""


def _ask(lab: Lab, *options: str) -> int:
    """Ask nginx for a page over TLS; curl's exit code."""
    lab.two_hosts()
    configured = Path(configuration(lab, "nginx.conf", ""))
    folder = configured.parent
    configured.write_text(CONFIGURATION.format(folder=folder))
    certify(folder)
    nginx = Program(lab, lab.server, "nginx", "-c", str(configured))
    nginx.wait_for_port(PORT)
    lab.record("client")
    trusting = [option.format(folder=folder) for option in options]
    asked = ["curl", "-sS", "--local-port", str(CLIENT[1]), *trusting, f"https://{SERVER[0]}/"]
    done = subprocess.run(lab.client.command(*asked), capture_output=True, text=True)
    pause(0.2)
    lab.observe("client", "curl", (done.stderr or done.stdout).splitlines()[:1])
    lab.observe("server", "nginx", [line.partition("[info] ")[2] for line in nginx.log("SSL")])
    return done.returncode


def certify(folder: Path) -> None:
    """A key and a certificate for the server's address, signed by itself."""
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=shop.example"
    named = [
        "-addext",
        f"subjectAltName=IP:{SERVER[0]}",
        "-keyout",
        f"{folder}/key.pem",
        "-out",
        f"{folder}/certificate.pem",
    ]
    subprocess.run([*made.split(), *named], check=True, capture_output=True)


def https(lab: Lab) -> None:
    """curl, which trusts the certificate, asks nginx for a page over TLS 1.3 and closes."""
    must(_ask(lab, "--cacert", "{folder}/certificate.pem") == 0, "curl failed")


def alert_by_client(lab: Lab) -> None:
    """curl does not trust the certificate: it sends a fatal alert (unknown CA) and closes with some
    of nginx's handshake unread, which is a reset."""
    must(_ask(lab) == UNTRUSTED, "curl did not refuse the certificate")


def alert_by_server(lab: Lab) -> None:
    """curl offers TLS 1.1 at most; nginx answers by a fatal alert (protocol version) and closes by FIN."""
    old = ("--cacert", "{folder}/certificate.pem", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0")
    must(_ask(lab, *old) == HANDSHAKE_FAILED, "the handshake did not fail")


RESETS = ("sidecar-reset", "first-data-reset", "write-after-close", "reset-injected")
NEAR = (*RESETS, "empty-reply", "abortive-close")

CASES = (
    Case("https", https, rf"{HANDSHAKE}>D .*>FA .*", near_misses=NEAR, healthy=True),
    Case("tls-untrusted", alert_by_client, rf"{HANDSHAKE}>D .*>D >RA( <FA >R)?", ("abortive-close",), RESETS),
    Case("tls-version", alert_by_server, rf"{HANDSHAKE}>D <A <D .*", near_misses=NEAR, healthy=True),
)
