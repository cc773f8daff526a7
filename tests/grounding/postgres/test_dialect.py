"""The statements of the rows, put the way PostgreSQL takes them."""

import pytest

from mainstay.grounding.postgres.dialect import arguments, statement, tables


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("SELECT a FROM t WHERE b = ? AND c = ?", "SELECT a FROM t WHERE b = %s AND c = %s"),
        ("WHERE a <= ?1 AND b > ?1 AND c = ?2", "WHERE a <= %(v1)s AND b > %(v1)s AND c = %(v2)s"),
        ("WHERE a = :seq AND b::json ->> 'x' = :name1", "WHERE a = %(seq)s AND b::json ->> 'x' = %(name1)s"),
        ("WHERE a = '?' AND b = ':no' AND c = '''?' AND d = ?", "WHERE a = '?' AND b = ':no' AND c = '''?' AND d = %s"),
        ("SELECT 5 % 2, ?", "SELECT 5 %% 2, %s"),
        ("WHERE a IN (SELECT value FROM json_each(?)) AND b = ?", "WHERE a = ANY(%s) AND b = %s"),
        ("WHERE a IN (SELECT value FROM json_each(:rows))", "WHERE a = ANY(%(rows)s)"),
        ("WHERE a IN (SELECT value FROM json_each(?2))", "WHERE a = ANY(%(v2)s)"),
        ("FROM json_each(h.groups) g WHERE g.value = 1", "FROM json_array_elements_text(h.groups::json) AS g(value)"
         " WHERE g.value = 1"),
        ("FROM json_each(h.fields) f WHERE f.key = 1", "FROM json_each_text(h.fields::json) AS f WHERE f.key = 1"),
        ("SELECT json_extract(h.meta, '$.sha256')", "SELECT (h.meta::json ->> 'sha256')"),
        ("SELECT min(json_extract(meta, '$.read_at'))", "SELECT min((meta::json ->> 'read_at')::bigint)"),
        ("SET a = max(a, ?), b = min(b, max(?, c + 1))", "SET a = greatest(a, %s), b = least(b, greatest(%s, c + 1))"),
        ("SELECT max(a), min(nullif(a, 0)), min((a), b)", "SELECT max(a), min(nullif(a, 0)), least((a), b)"),
        ("INSERT INTO documents (name) VALUES (?)", "INSERT INTO documents (name) VALUES (%s) RETURNING id"),
        ("INSERT INTO documents (name) VALUES (?) ON CONFLICT DO NOTHING",
         "INSERT INTO documents (name) VALUES (%s) ON CONFLICT DO NOTHING"),
        ("INSERT INTO places (a) VALUES (?)", "INSERT INTO places (a) VALUES (%s)"),
    ],
)  # fmt: skip
def test_a_statement_is_put_the_other_way(said: str, meant: str) -> None:
    assert statement(said) == meant


def test_values_keep_to_their_places() -> None:
    assert arguments("WHERE a = ?", (1,)) == (1,)
    assert arguments("WHERE a = :b", {"b": 1}) == {"b": 1}
    assert arguments("WHERE a = ?1 AND b = ?1 AND c = ?2", (1, "x")) == {"v1": 1, "v2": "x"}


def test_every_table_has_types_that_postgresql_knows() -> None:
    made = tables()
    assert len(made) > 20
    assert all(one.startswith("CREATE ") for one in made)
    assert not [one for one in made if any(word in one for word in ("INTEGER", "BLOB", "REAL", "ROWID", "AUTOINCR"))]
    (vectors,) = [one for one in made if one.startswith("CREATE TABLE vectors")]
    assert "data vector NOT NULL" in vectors
    (revisions,) = [one for one in made if one.startswith("CREATE TABLE revisions")]
    assert "body BYTEA NOT NULL" in revisions
    assert 'sha256 TEXT COLLATE "C" NOT NULL' in revisions
