"""Suites are files that a person can read, and that are checked before anything runs."""

from __future__ import annotations

import itertools
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.configuring import ProjectConfigLoader
from medallion.errors import ConfigurationError, SpecError, SuiteError
from medallion.gates.gx import vocabulary
from medallion.gates.gx.binding import Relations
from medallion.gates.layers import base_silver
from medallion.gates.ledger import suite_hash
from medallion.gates.suite import Suite
from medallion.gates.suite_file import NotReadableError, text_of, values_of
from medallion.gates.suites import Suites, load_suites, read_suite
from medallion.spec import Spec, parse_spec
from tests.conftest import PROJECT

FOLDER = PROJECT / "conf" / "base" / "expectations"
MODELS = PROJECT / "dbt" / "models" / "gold"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project's suites, to be changed."""
    return Path(shutil.copytree(FOLDER, tmp_path / "expectations"))


def append(folder: Path, lines: str, suite: str = "base_silver/orders") -> None:
    path = folder / f"{suite}.yml"
    path.write_text(path.read_text(encoding="utf-8") + lines, encoding="utf-8")


@pytest.fixture(scope="module")
def suites(spec: Spec) -> Suites:
    return load_suites(FOLDER, spec, MODELS)


def said(suites: Suites, layer: str, table: str, subject: str) -> set[tuple[str, str]]:
    """What is expected, and how gravely."""
    return {(e.says, e.severity) for e in suites.of(layer)[table].subjects[subject]}


def test_every_table_of_every_layer_has_a_suite(suites: Suites) -> None:
    assert {layer: len(suites.of(layer)) for layer in suites.suites} == {
        "bronze": 8,
        "dims": 2,
        "base_silver": 6,
        "enriched": 10,
        "gold": 13,
    }


def test_what_the_spec_says_is_expected_without_being_written_down(suites: Suites) -> None:
    rows = said(suites, "base_silver", "order_items", "rows")
    assert ("order_id is there", "critical") in rows
    assert ("1 <= quantity <= 100,000", "critical") in rows
    assert ("category is one of books, clothing, electronics, home, toys", "warning") in rows
    measures = said(suites, "base_silver", "order_items", "measures")
    assert ("pass_rate >= 0.95", "warning") in measures
    assert ("pass_rate >= 0.855", "critical") in measures
    assert ("product_id_found_share >= 0.99", "critical") in measures
    assert ("quarantine_share < 0.05", "critical") in measures


def test_a_day_without_returns_is_a_normal_day(suites: Suites) -> None:
    assert ("is_delivered is True", "critical") in said(suites, "bronze", "orders", "days")
    assert ("is_delivered is True", "critical") not in said(suites, "bronze", "returns", "days")


def test_every_expectation_says_why_it_exists_and_who_says_so(suites: Suites) -> None:
    for tables in suites.suites.values():
        for suite in tables.values():
            for expectations in suite.subjects.values():
                assert all(e.note.endswith(".") and e.origin for e in expectations)


def test_four_lines_add_an_expectation(folder: Path, spec: Spec) -> None:
    append(
        folder,
        """
rows:
  - expect_column_values_to_be_between: {column: refunded_amount, max_value: 5000}
    severity: warning
    note: Nobody has ever returned more than that at once.
""".replace("\nrows:\n", "\n"),
        "base_silver/returns",
    )
    suites = load_suites(folder, spec, MODELS)
    assert ("refunded_amount <= 5,000", "warning") in said(suites, "base_silver", "returns", "rows")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "  - expect_column_values_to_not_be_null: {column: agent}\n"
            "    severity: critical\n    note: We pay them.\n",
            "there is no column 'agent'; known are actual_shipping_cost, agent_id",
        ),
        (
            "  - expect_column_values_to_be_betwen: {column: net_total}\n"
            "    severity: critical\n    note: A typing error.\n",
            "is no expectation of Great Expectations; "
            "did you mean expect_column_values_to_be_between?",
        ),
        (
            "  - expect_column_values_to_be_between: {column: net_total, maximum: 1}\n"
            "    severity: critical\n    note: A typing error.\n",
            "has no argument 'maximum'; it takes column,",
        ),
        (
            "  - expect_column_values_to_be_between: {column: net_total, strict_max: soon}\n"
            "    severity: critical\n    note: No boolean.\n",
            "expect_column_values_to_be_between.strict_max: 'soon' is not valid",
        ),
        (
            "  - expect_column_values_to_be_in_set: {column: status}\n"
            "    severity: critical\n    note: No set.\n",
            "'value_set' is a required property",
        ),
        (
            "  - expect_column_values_to_not_be_null: {column: agent_id}\n"
            "    severity: fatal\n    note: No such severity.\n",
            "severity is one of critical, warning, info",
        ),
        (
            "  - expect_column_values_to_not_be_null: {column: agent_id}\n    severity: info\n",
            "a note says why it exists",
        ),
        ("  - severity: info\n    note: Of what?\n", "give one expectation"),
        ("  - just words\n", "give one expectation"),
        ("lines:\n  - x\n", "'lines' is unknown; allowed are rows, partitions, measures"),
        ("measures: []\n", "measures: holds no expectations"),
        ("measures: [\n", "it is not valid YAML"),
        ("rows:\n  - x\n", "the key 'rows' stands in lines 3 and"),
        (
            "  - expect_column_values_to_be_in_set: {column: order_channel, value_set: [1]}\n"
            "    severity: info\n    note: A typing error.\n",
            "value_set: 1 is compared with order_channel: write text, in quotes",
        ),
        (
            "  - unexpected_rows_expectation:\n      unexpected_rows_query: |\n"
            "        select order_id from {batch} o, dims.customers c where c.id = o.customer_id\n"
            "    severity: info\n    note: A typing error.\n",
            'does not have a column named "id"',
        ),
        (
            "  - unexpected_rows_expectation:\n      unexpected_rows_query: |\n"
            "        select o.order_id from {batch} o join gold.fct_orders using (order_id)\n"
            "    severity: info\n    note: A mart is made of orders, and after them.\n",
            "here a query can name {batch}, base_silver.orders, ",
        ),
    ],
)
def test_a_wrong_suite_names_the_place_and_what_is_allowed(
    folder: Path, spec: Spec, lines: str, expected: str
) -> None:
    append(folder, lines)
    with pytest.raises(SuiteError) as raised:
        load_suites(folder, spec, MODELS)
    assert "base_silver/orders.yml: " in str(raised.value)
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("# Prüfungen\nrows: []\n".encode("latin-1"), "is not UTF-8 text (line 1)"),
        (b"rows:\n# caf\xe9\n", "is not UTF-8 text (line 2)"),
        ("rows: []\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("rows: []\n".encode("utf-32"), "is UTF-32 text; save it as UTF-8"),
        (b"PAR1\x00\x01\x02\xff", "is not UTF-8 text"),
        (b"\x00\x01\x02", "it is not valid YAML"),
        (b"5\n", "holds no expectations"),
        (b"null\n", "holds no expectations"),
        (b"just words\n", "holds no expectations"),
        (b"- [rows]\n- [rows]\n", "holds no expectations"),
        (b"rows: 5\n", "rows: holds no expectations"),
        (b"rows: {a: b}\n", "rows: holds no expectations"),
        (b"rows:\n- 1: {}\n", "rows, no. 1: 1 is no name; names are text"),
        (b"rows:\n- true: {}\n  severity: info\n", "rows, no. 1: True is no name"),
        (b"1: []\n", "1 is no name"),
        (b"rows:\n- [[a], [b]]\n", "rows, no. 1: give one expectation"),
        (b"rows:\n- null\n", "rows, no. 1: give one expectation"),
        (b"rows: &x [*x]\n", "is nested more than 20 levels deep"),
        (b"rows: [{a: &x 1, b: &x 2}]\n", "an anchor, `&name`, stands twice, line 1"),
        (b"rows: *nothing\n", "it is not valid YAML"),
        (b"rows: [? [a] : b]\n", "it is not valid YAML"),
        (b"rows:\n- !!set {a, b}\n", "rows, no. 1: is a set; write text or a number"),
        (b"rows: !!timestamp 2025-13-45\n", "a tag such as !!int stands before a value"),
        (b"rows: !!map [1]\n", "a tag such as !!int stands before a value"),
        (b"rows: " + b"9" * 5000 + b"\n", "it is not valid YAML"),
        (b"rows: " + b"[" * 50_000, "it is nested more than 200 levels deep"),
        (b"- " * 50_000, "it is nested more than 200 levels deep"),
        (
            b"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + b"".join(
                f"{two}: &{two} [{', '.join([f'*{one}'] * 10)}]\n".encode()
                for one, two in itertools.pairwise("abcdefgh")
            ),
            "holds more than 100,000 values",
        ),
    ],
    ids=map(str, range(28)),
)
def test_a_file_that_is_no_suite_is_named_with_the_place(
    folder: Path, spec: Spec, content: bytes, expected: str
) -> None:
    (folder / "base_silver" / "orders.yml").write_bytes(content)
    with pytest.raises(SuiteError) as raised:
        load_suites(folder, spec, MODELS)
    (said,) = raised.value.details
    assert said.startswith("base_silver/orders.yml: ")
    assert expected in said


def test_a_folder_in_place_of_a_suite_is_named(folder: Path, spec: Spec) -> None:
    (folder / "base_silver" / "orders.yml").unlink()
    (folder / "base_silver" / "orders.yml").mkdir()
    with pytest.raises(SuiteError, match=r"base_silver/orders\.yml: cannot be read"):
        load_suites(folder, spec, MODELS)


def test_a_mark_of_the_byte_order_before_utf_8_is_no_part_of_the_suite(
    folder: Path, spec: Spec
) -> None:
    path = folder / "base_silver" / "orders.yml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_suites(folder, spec, MODELS).of("base_silver")["orders"].subjects


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from(["agent_id", "net_total", "order_date", "rows", "severity", "note"]),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(st.text() | st.integers() | st.none(), parts, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def suites_of_any_shape(draw: st.DrawFn) -> object:
    """A suite in which one part is anything at all: the whole, a list, an entry, a value."""
    place = draw(st.sampled_from(["whole", "entries", "entry", "arguments", "argument", "said"]))
    odd = draw(ANYTHING)
    kind = draw(st.sampled_from(vocabulary.kinds()))
    taken = sorted(vocabulary.arguments_of(kind))
    names = st.lists(st.sampled_from(taken), unique=True) if taken else st.just([])
    arguments = {name: draw(ANYTHING) for name in draw(names)}
    if "column" in taken and draw(st.booleans()):
        arguments["column"] = "agent_id"
    said = {"severity": "info", "note": "Why."}
    if place == "said":
        said[draw(st.sampled_from(["severity", "note"]))] = odd
    entry = {kind: odd if place == "arguments" else arguments, **said}
    entries = [odd if place == "entry" else entry]
    return odd if place == "whole" else {"rows": odd if place == "entries" else entries}


@settings(max_examples=300, deadline=None)
@given(suites_of_any_shape())
def test_whatever_a_suite_says_is_an_expectation_or_is_refused(
    suites: Suites, content: object
) -> None:
    text = yaml.safe_dump(content)
    subjects = base_silver.subjects(suites.declared, "orders")
    found, problems = read_suite(text, "orders.yml", subjects, Relations({}))
    assert found or problems
    if not problems:
        suite = Suite("base_silver", "orders", {name: tuple(e) for name, e in found.items()})
        assert suite_hash(suite)
        assert all(e.says for expectations in found.values() for e in expectations)


@given(st.binary() | st.text().map(str.encode))
def test_whatever_a_file_holds_is_read_or_is_not_readable(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yml"
    file.write_bytes(content)
    with suppress(NotReadableError):
        values_of(text_of(file))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]\n"])
def test_a_suite_without_expectations_is_refused(folder: Path, spec: Spec, text: str) -> None:
    (folder / "gold" / "dim_dates.yml").write_text(text, encoding="utf-8")
    with pytest.raises(SuiteError, match=r"gold/dim_dates\.yml: holds no expectations"):
        load_suites(folder, spec, MODELS)


def test_a_table_without_a_suite_and_a_suite_without_a_table_are_named(
    folder: Path, spec: Spec
) -> None:
    (folder / "dims" / "customers.yml").rename(folder / "dims" / "costumers.yml")
    with pytest.raises(SuiteError) as raised:
        load_suites(folder, spec, MODELS)
    assert "dims/customers.yml is absent" in str(raised.value)
    assert "dims/costumers.yml: there is no such table" in str(raised.value)


def test_what_looks_odd_to_yaml_stays_the_text_that_was_written(folder: Path, spec: Spec) -> None:
    append(
        folder,
        "  - expect_column_values_to_be_in_set:\n"
        "      {column: order_channel, value_set: [on, NO, 12:30, 00501, 2025-01-01]}\n"
        "    severity: info\n    note: Codes.\n",
    )
    suites = load_suites(folder, spec, MODELS)
    told = {text for text, _ in said(suites, "base_silver", "orders", "rows")}
    assert "order_channel is one of on, NO, 12:30, 00501, 2025-01-01" in told


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", "x: {a: 1, b: 2, a: 3}\n"])
def test_a_repeated_key_of_the_spec_names_key_and_lines(text: str) -> None:
    with pytest.raises(SpecError, match=r"conf/spec\.yml: the key 'a' stands"):
        parse_spec(text, "conf/spec.yml")


def test_a_repeated_key_of_any_configuration_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "local").mkdir()
    (tmp_path / "base" / "observability.yml").write_text("logs: {}\nlogs: {}\n", encoding="utf-8")
    patterns = {"observability": ["observability*"]}
    loader = ProjectConfigLoader(
        str(tmp_path), base_env="base", default_run_env="local", config_patterns=patterns
    )
    with pytest.raises(ConfigurationError) as raised:
        loader["observability"]
    assert "observability.yml: the key 'logs' stands in lines 1 and 2" in str(raised.value)


def test_what_systems_leave_beside_suites_and_marts_is_no_suite(
    folder: Path, tmp_path: Path, spec: Spec
) -> None:
    models = Path(shutil.copytree(MODELS, tmp_path / "models"))
    for each in (folder / "dims", folder / "gold", models):
        (each / "._orders.yml").write_bytes(b"\0\5\26\7")
    assert (
        load_suites(folder, spec, models).suites.keys()
        == load_suites(FOLDER, spec, MODELS).suites.keys()
    )
