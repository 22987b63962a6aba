"""What is told of a message, protocol by protocol, from the fields that tshark finds in it."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

TEXT_MAX = 160
DATA = "data"
"""The layer of what tshark does not know."""


class Value(NamedTuple):
    """A field as tshark shows it."""

    show: str
    """`48`, `GET`."""
    name: str
    """`Unknown CA` where the number has a meaning, else as `show`."""


Fields = Callable[[str], Sequence[Value]]
"""All values of a field of one layer, by its full name; none where it is absent."""

SAYINGS: dict[str, Sequence[Sequence[str]]] = {
    "http": (
        ("{http.request.method} {http.request.uri} {http.request.version}",),
        (
            "{http.response.version} {http.response.code} {http.response.phrase}",
            "{http.response.version} {http.response.code}",
        ),
    ),
    "http2": (
        ("{http2.headers.method} {http2.headers.path} HTTP/2",),
        ("HTTP/2 {http2.headers.status}",),
        (
            "gRPC status {http2.header.grpc-status} {http2.header.grpc-message}",
            "gRPC status {http2.header.grpc-status}",
        ),
        ("HTTP/2 RST_STREAM {http2.rst_stream.error:name}",),
        ("HTTP/2 GOAWAY {http2.goaway.error:name}",),
    ),
    "tls": (
        ("TLS {tls.handshake.type:names} for {tls.handshake.extensions_server_name}", "TLS {tls.handshake.type:names}"),
        ("TLS alert, {tls.alert_message.level:name}: {tls.alert_message.desc:name}",),
    ),
    "dns": (
        (
            "DNS answer, {dns.flags.rcode:name}: {dns.qry.type:name} {dns.qry.name}",
            "DNS query: {dns.qry.type:name} {dns.qry.name}",
        ),
    ),
    "resp": (("Redis error {resp.error}", "Redis {resp.bulk_string:words}", "Redis {resp.string}"),),
    "memcache": (("memcached {memcache.command} {memcache.key}",), ("memcached {memcache.response}",)),
    "mysql": (("MySQL {mysql.query}",), ("MySQL error {mysql.error_code}: {mysql.error.message}",)),
    "pgsql": (("PostgreSQL {pgsql.query}",), ("PostgreSQL {pgsql.severity}: {pgsql.message}",)),
    "mongo": (("MongoDB {mongo.opcode:name}",),),
    "kafka": (("Kafka {kafka.api_key:name}",), ("Kafka error: {kafka.error:name}",)),
    "amqp": (("AMQP {amqp.method.method:names}",), ("AMQP {amqp.performative:names}",)),
    "mqtt": (("MQTT {mqtt.msgtype:name} {mqtt.topic}", "MQTT {mqtt.msgtype:names}"),),
    "smtp": (
        ("SMTP {smtp.command_line}",),
        ("SMTP {smtp.response.code} {smtp.rsp.parameter}", "SMTP {smtp.response.code}"),
    ),
    "ftp": (
        ("FTP {ftp.request.command} {ftp.request.arg}", "FTP {ftp.request.command}"),
        ("FTP {ftp.response.code} {ftp.response.arg}", "FTP {ftp.response.code}"),
    ),
    "imap": (("IMAP {imap.line}",),),
    "pop": (
        ("POP {pop.request.command} {pop.request.parameter}", "POP {pop.request.command}"),
        ("POP {pop.response.indicator} {pop.response.description}",),
    ),
    "sip": (("{sip.Request-Line}", "{sip.Status-Line}"),),
    "rtsp": (("{rtsp.request}", "{rtsp.response}"),),
    "ssh": (("{ssh.protocol}",),),
}
"""Layer → what is told of it: of each group the first form whose fields are all there.

A field is told as tshark shows its first value; `:name` is what that means, `:names` are all meanings, `:words` too.
"""

_FIELD = re.compile(r"\{([\w.-]+)(?::(\w+))?\}")
_SECRET = re.compile(
    r"^((?:Redis|FTP|POP|SMTP) (?:AUTH|PASS|HELLO \d AUTH)|IMAP \S+ (?:LOGIN|AUTHENTICATE)) .+", re.IGNORECASE
)
_SHOWN: dict[str | None, Callable[[Sequence[Value]], str]] = {
    None: lambda values: values[0].show,
    "name": lambda values: values[0].name,
    "names": lambda values: ", ".join(value.name for value in values),
    "words": lambda values: " ".join(value.name for value in values),
}


def sayings(layer: str, fields: Fields) -> Iterator[str]:
    """What one layer says, a line each; nothing for a layer that is not known, passwords left out."""
    for forms in SAYINGS.get(layer, ()):
        told = next((text for form in forms if (text := _filled(form, fields))), None)
        if told:
            yield _short(_SECRET.sub(r"\1 ***", told))


def first_words(payload: bytes) -> str | None:
    """The first line of a payload that is text, None of any other."""
    line = payload.split(b"\n", 1)[0].rstrip(b"\r")
    is_text = len(line) > 1 and line.isascii() and line.decode("ascii").isprintable()
    return _short(line.decode("ascii")) if is_text else None


def _filled(form: str, fields: Fields) -> str | None:
    """The form with the values of its fields; None where one is absent."""
    found = {match[0]: (fields(match[1]), match[2]) for match in _FIELD.finditer(form)}
    if not all(values for values, _ in found.values()):
        return None
    return _FIELD.sub(lambda match: _SHOWN[match[2]](found[match[0]][0]), form)


def _short(text: str) -> str:
    """One line of a bearable length."""
    text = " ".join(text.removesuffix(r"\r\n").split())
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"
