"""Personal data and secrets are masked; what people need to read is not."""

from __future__ import annotations

import pytest

from medallion.lake.names import printable
from medallion.masking import Mask

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nxyz=\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "secret",
    [
        "ann.smith+shop@example.co.uk",
        "555-123-4567",
        "(555) 123-4567",
        "(555)123-4567",
        "555.123.4567",
        "+1-555-123-4567",
        "+49 30 1234567",
        "001-555-123-4567x123",
        "5551234567",
        KEY,
    ],
)
def test_it_is_masked(secret: str) -> None:
    masked = Mask()(f"before {secret}, after")
    assert masked == "before ***, after"


def test_credentials_of_an_address_are_masked_and_the_host_stays() -> None:
    assert Mask()("postgres://bob:hunter2@db/shop") == "postgres://***@db/shop"


@pytest.mark.parametrize(
    "text",
    [
        "Bronze 2025-10-01 to 2025-10-31, horizon 2025-11-01T10:00:00.000000",
        "orders/ingest_dt=2025-10-01: schema_drift: column email is missing",
        "run 2025-10-01T10.11.12.123Z took 1,234,567.8 s for 12,345,678,901 rows",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "polars==2.1.0 on 127.0.0.1:8080, memory limit 4GB",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Mask({"HOME": "/root", "LANG": "C"})(text) == text


@pytest.mark.parametrize("name", ["API_KEY", "my_secret", "GITHUB_TOKEN", "DB_PASSWORD"])
def test_the_value_of_a_secret_variable_is_masked(name: str) -> None:
    assert Mask({name: "tr0ub4dor"})("connecting with tr0ub4dor now") == "connecting with *** now"


def test_a_variable_can_be_named_as_a_secret_and_its_path_alone_is_one_too() -> None:
    mask = Mask({"HOOK": "https://hooks.example/services/T00/B00"}, ["HOOK"])
    assert mask("POST https://hooks.example/services/T00/B00") == "POST ***"
    assert mask("POST /services/T00/B00 HTTP/1.1") == "POST *** HTTP/1.1"


def test_a_switch_is_no_secret() -> None:
    assert Mask({"USE_TOKEN": "true"})("true is true") == "true is true"


@pytest.mark.parametrize(
    "error",
    [
        "Could not convert string '12 Elm Street' to INT32",
        'conversion from `str` to `i64` failed in column x for 1 values: ["12 Elm Street"]',
        'invalid timestamp field format: "12 Elm Street", expected (YYYY-MM-DD)',
        'Duplicate key "name: 12 Elm Street" violates primary key constraint',
    ],
)
def test_values_that_engines_quote_are_masked(error: str) -> None:
    masked = Mask()(error)
    assert "Elm" not in masked
    assert "***" in masked


SIGNED = [
    "gs-url?X-Goog-Algorithm=GOOG4&X-Goog-Credential=me%2F2025&X-Goog-Signature=0abc12",
    "https://b.s3.amazonaws.com/a.parquet?X-Amz-Signature=0abc12&X-Amz-Date=20251001",
    "https://x.blob.core.windows.net/a?sv=2024&sig=0abc12%3D&se=2025-10-01",
    "https://h/a?access_token=0abc12",
    "https://h/a?x=1&GoogleAccessId=me&Expires=1&Signature=0abc12",
]


@pytest.mark.parametrize("url", SIGNED)
def test_what_signs_a_url_is_masked(url: str) -> None:
    masked = Mask()(f"before {url}, after")
    assert "0abc12" not in masked
    assert masked.startswith(f"before {url.partition('?')[0]}?")
    assert printable(url) in masked


def test_a_url_that_is_not_signed_is_shown() -> None:
    assert Mask()("https://h/a?page=2&sort=monkeys") == "https://h/a?page=2&sort=monkeys"
