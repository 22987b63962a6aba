"""Published schemas, which are not ours to keep here: `make schemas` gets them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = Path(os.environ.get("TCPTRACE_SCHEMAS") or ROOT / ".schemas")


def problems_of_sarif(document: Any) -> list[str]:
    """What OASIS's schema of SARIF 2.1.0 has against a document."""
    return _problems(json.loads(_file("sarif-schema.json").read_text()), document)


def problems_of_schema(schema: Any, document: Any) -> list[str]:
    """What a JSON Schema has against a document."""
    return _problems(schema, document)


def problems_of_junit(path: Path) -> list[str]:
    """What the schema of Jenkins's xUnit plugin has against a file."""
    etree = pytest.importorskip("lxml.etree")
    schema = etree.XMLSchema(etree.parse(_file("junit-10.xsd")))
    schema.validate(etree.parse(path))
    return [str(error) for error in schema.error_log]


def _problems(schema: Any, document: Any) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return [error.message for error in kind(schema).iter_errors(document)]


def _file(name: str) -> Path:
    if not (FOLDER / name).exists():
        pytest.skip(f"needs {FOLDER / name}: make schemas")
    return FOLDER / name
