"""What is told of a message, from fields as tshark gives them."""

from collections.abc import Sequence

import pytest

from tcptrace.application.sayings import SAYINGS, TEXT_MAX, Value, first_words, sayings


def told(layer: str, **values: str | list[str]) -> list[str]:
    """What a layer with these fields says; `__` is a dot in a name, `48#Unknown CA` a number with its meaning."""

    def fields(name: str) -> Sequence[Value]:
        given = values.get(name.removeprefix(f"{layer}.").replace(".", "__").replace("-", "_"), [])
        texts = [given] if isinstance(given, str) else given
        return [Value(text.split("#")[0], text.split("#")[-1]) for text in texts]

    return list(sayings(layer, fields))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            told("http", request__method="GET", request__uri="/x?y=1", request__version="HTTP/1.1"),
            ["GET /x?y=1 HTTP/1.1"],
        ),
        (
            told("http", response__version="HTTP/1.1", response__code="503", response__phrase="Service Unavailable"),
            ["HTTP/1.1 503 Service Unavailable"],
        ),
        (told("http", response__version="HTTP/1.1", response__code="503"), ["HTTP/1.1 503"]),
        (told("http", file_data="3c68746d6c3e"), []),
        (told("http2", headers__method="POST", headers__path="/shop.Cart/Add"), ["POST /shop.Cart/Add HTTP/2"]),
        (
            told("http2", headers__status="200", header__grpc_status="14", header__grpc_message="no upstream"),
            ["HTTP/2 200", "gRPC status 14 no upstream"],
        ),
        (
            told("tls", handshake__type="1#Client Hello", handshake__extensions_server_name="shop.example"),
            ["TLS Client Hello for shop.example"],
        ),
        (told("tls", handshake__type=["2#Server Hello", "11#Certificate"]), ["TLS Server Hello, Certificate"]),
        (
            told("tls", alert_message__level="2#Fatal", alert_message__desc="48#Unknown CA"),
            ["TLS alert, Fatal: Unknown CA"],
        ),
        (told("dns", qry__type="1#A", qry__name="shop.example"), ["DNS query: A shop.example"]),
        (
            told("dns", flags__rcode="3#No such name", qry__type="1#A", qry__name="shop.example"),
            ["DNS answer, No such name: A shop.example"],
        ),
        (told("resp", bulk_string=["SET", "key", "value"]), ["Redis SET key value"]),
        (told("resp", error="LOADING Redis is loading"), ["Redis error LOADING Redis is loading"]),
        (told("mysql", error_code="1045", error__message="Access denied"), ["MySQL error 1045: Access denied"]),
        (told("nothing-known", request="GET"), []),
    ],
)
def test_a_message_is_told_in_a_line(said: list[str], expected: list[str]) -> None:
    assert said == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (told("resp", bulk_string=["AUTH", "default", "hunter2"]), "Redis AUTH ***"),
        (told("resp", bulk_string=["hello", "3", "AUTH", "default", "hunter2"]), "Redis hello 3 AUTH ***"),
        (told("ftp", request__command="PASS", request__arg="hunter2"), "FTP PASS ***"),
        (told("pop", request__command="pass", request__parameter="hunter2"), "POP pass ***"),
        (told("smtp", command_line="AUTH PLAIN aHVudGVyMg"), "SMTP AUTH ***"),
        (told("imap", line="a1 LOGIN joe hunter2"), "IMAP a1 LOGIN ***"),
    ],
)
def test_passwords_are_left_out(said: list[str], expected: str) -> None:
    assert said == [expected]


def test_an_answer_about_a_password_stays() -> None:
    assert told("resp", error="WRONGPASS invalid password pair") == ["Redis error WRONGPASS invalid password pair"]


def test_a_message_is_one_line_of_bearable_length() -> None:
    (line,) = told("mysql", query="select\n  *\r\n  from t where x in (" + "1, " * 1000)
    assert line.startswith("MySQL select * from t where x in (1, 1,")
    assert len(line) == TEXT_MAX
    assert line.endswith("…")


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b"stats\r\nmore", "stats"),
        (b"HELO you", "HELO you"),
        (b"\x16\x03\x01", None),
        (b"caf\xc3\xa9\n", None),
        (b"a\x1b[2J\n", None),
        (b"", None),
        (b"\n\n", None),
        (b"x", None),
    ],
)
def test_of_what_is_not_known_the_first_line_of_text_is_told(payload: bytes, line: str | None) -> None:
    assert first_words(payload) == line


def test_every_field_is_of_its_layer() -> None:
    for layer, groups in SAYINGS.items():
        for form in (form for forms in groups for form in forms):
            assert form.count("{") == form.count(f"{{{layer}.") > 0, form
