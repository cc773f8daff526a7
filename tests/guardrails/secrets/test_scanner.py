"""Secrets in texts: where they start and end, in windows and in streams."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.guardrails.port import Finding
from mainstay.guardrails.secrets.rules import all_rules
from mainstay.guardrails.secrets.samples import fill
from mainstay.guardrails.secrets.scanner import KeyBlocks, SecretScanner, owned

SCANNER = SecretScanner()
BLOCKS = KeyBlocks()
SAMPLES = [sample for rule in all_rules() for sample in (*rule.hits, *rule.misses)]
BLOCK = "-----BEGIN <KIND>PRIVATE KEY-----\n" + "<64*64>\n" * 6 + "<64*20>==\n-----END <KIND>PRIVATE KEY-----"


def block(seed: int, kind: str = "RSA ") -> str:
    return fill(BLOCK, random.Random(seed)).replace("<KIND>", kind)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Secrets, their likes, anchors and prose, with and without blanks between."""
    anchors = st.sampled_from([anchor for rule in all_rules() for anchor in rule.anchors])
    piece = st.one_of(
        st.builds(lambda sample, seed: fill(sample, random.Random(seed)), st.sampled_from(SAMPLES), st.integers(0, 99)),
        anchors,
        st.text("aB3 \n=:'\"\\-_./", max_size=12),
        st.text(max_size=4),
        st.sampled_from(["password = '", "token: ", "\u0130", " " * 40]),
    )
    return draw(st.sampled_from(["", " ", "\n"])).join(draw(st.lists(piece, max_size=8)))


def test_a_secret_is_found_where_it_stands() -> None:
    key = fill("AKIA<32*16>", random.Random(3))
    text = f"Use {key}, and then go on."
    assert SCANNER.scan(text) == [Finding(4, 24, "api_key", 0.99, "aws-access-key-id")]


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "key={}",
        '{{"key": "{}"}}',
        '{{\\"key\\": \\"{}\\"}}',
        "line\\n{}\\nline",
        "https://api.shop.net/?k={}&x=1",
        "q%3D{}%26",
        "the key ({}) is new.",
        "`{}`",
        "<key>{}</key>",
        "[{}](x)",
        "KEY_{}",
    ],
)
def test_a_token_is_found_in_code_json_addresses_and_prose(around: str) -> None:
    token = fill("ghp_<62*36>", random.Random(4))
    text = around.format(token)
    assert [text[one.start : one.end] for one in SCANNER.scan(text)] == [token]


@pytest.mark.parametrize(
    "line",
    [
        'password = "{}"',
        "password: str = '{}'",
        "PASSWORD={}",
        '"password" : "{}",',
        '\\"password\\": \\"{}\\"',
        "password => '{}'",
        "my password is {}.",
        "<password>{}</password>",
        "setenv('DB_PASSWORD', '{}')",
        "passphrase: {}",
        'password := b"{}"',
    ],
)
def test_a_password_is_found_however_it_is_assigned(line: str) -> None:
    text = line.format("tR4-kd9Wq_77")
    assert [text[one.start : one.end] for one in SCANNER.scan(text)] == ["tR4-kd9Wq_77"]


def test_a_value_that_is_allowed_passes() -> None:
    text = fill("AKIA<32*16>", random.Random(3))
    assert not SecretScanner(allow=[f"{text[:6]}.*"]).scan(text)
    assert SecretScanner(allow=[text[:6]]).scan(text)


def test_capitals_that_grow_when_made_small_move_nothing() -> None:
    text = "\u0130\u0130 password = 'tR4-kd9Wq_77'"
    assert [text[one.start : one.end] for one in SCANNER.scan(text)] == ["tR4-kd9Wq_77"]


@settings(max_examples=150, deadline=None)
@given(texts())
def test_findings_are_in_order_and_apart_and_within_reach(text: str) -> None:
    for scanner in (SCANNER, BLOCKS):
        last = 0
        for found in scanner.scan(text):
            assert last <= found.start < found.end <= len(text)
            assert found.end - found.start <= scanner.reach
            assert found.kind in scanner.kinds
            last = found.end


@settings(max_examples=150, deadline=None)
@given(texts(), texts(), texts())
def test_a_finding_depends_on_its_surroundings_alone(before: str, text: str, after: str) -> None:
    far = "so it goes on. " * (SCANNER.reach // 15 + 1)
    lead = before + far
    whole = SCANNER.scan(lead + text + far + after)
    part = SCANNER.scan(far + text + far)
    within = [(one.start - len(lead), one.end - len(lead), one.rule) for one in whole]
    assert [one for one in within if 0 <= one[0] < len(text)] == [
        place for one in part if 0 <= (place := (one.start - len(far), one.end - len(far), one.rule))[0] < len(text)
    ]


@settings(max_examples=200, deadline=None)
@given(texts(), st.integers(0, 400))
def test_what_is_settled_stays_so_whatever_follows(text: str, cut: int) -> None:
    early = text[:cut]
    settled = SCANNER.settled(early)
    assert 0 <= settled <= len(early)
    assert [one for one in SCANNER.scan(early) if one.start < settled] == [
        one for one in SCANNER.scan(text) if one.start < settled
    ]


def test_prose_is_held_back_by_a_word_only() -> None:
    text = "This is what the model says so fa"
    assert SCANNER.settled(text) == text.rindex(" ") + 1
    assert SCANNER.settled(text + " ") == len(text) + 1


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
def test_a_private_key_is_found_from_head_to_tail(kind: str) -> None:
    key = block(1, kind)
    text = f"Here it is:\n{key}\nkeep it safe."
    assert [text[one.start : one.end] for one in BLOCKS.scan(text)] == [key]
    escaped = text.replace("\n", "\\n")
    assert [escaped[one.start : one.end] for one in BLOCKS.scan(escaped)] == [key.replace("\n", "\\n")]


def test_a_private_key_that_is_cut_off_is_found_up_to_there() -> None:
    text = block(2)[:200]
    assert [(one.start, one.end) for one in BLOCKS.scan(text)] == [(0, 200)]


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "if line == '-----BEGIN RSA PRIVATE KEY-----':",
        block(3).replace("PRIVATE", "PUBLIC"),
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_a_head_alone_and_public_parts_are_no_private_keys(text: str) -> None:
    assert not BLOCKS.scan(text)


def test_a_key_of_putty_is_found() -> None:
    text = fill(
        "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nComment: me\nPublic-Lines: 1\n<64*64>\n"
        "Private-Lines: 2\n<64*64>\n<64*40>\nPrivate-MAC: <16*40>\n",
        random.Random(5),
    )
    found = BLOCKS.scan(text)
    assert [one.rule for one in found] == ["putty-key"]
    assert text[found[0].end :].startswith("Private-MAC")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([block(1), block(2)[:120], "-----", "-----BEGIN ", "text\n", "PuTTY-User"]), max_size=6)
)
def test_a_private_key_in_a_stream_is_held_back_until_it_is_whole(pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = BLOCKS.scan(text)
    for cut in range(0, len(text), 37):
        settled = BLOCKS.settled(text[:cut])
        assert [one for one in BLOCKS.scan(text[:cut]) if one.end <= settled] == [
            one for one in whole if one.end <= settled
        ]
        assert not any(one.start < settled < one.end for one in whole)


@given(st.lists(st.builds(lambda a, n, s: Finding(a, a + n, "x", s, f"r{s}"), st.integers(0, 30), st.integers(1, 9),
                          st.sampled_from([0.5, 0.7, 0.9])), max_size=8))  # fmt: skip
def test_each_character_belongs_to_the_surest_that_covers_it(candidates: list[Finding]) -> None:
    owner = {place: one.score for one in owned(candidates) for place in range(one.start, one.end)}
    for place in range(45):
        scores = [one.score for one in candidates if one.start <= place < one.end]
        assert owner.get(place) == max(scores, default=None)
