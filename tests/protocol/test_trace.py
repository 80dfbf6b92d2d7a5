"""The lists for lessons and pictures: the RFC's values in the RFC's order, and a name for each byte."""

import pytest

from pushlab.errors import (
    BadKeyid,
    BadToken,
    PlaintextTooLong,
    TooManyRecords,
    TruncatedHeader,
    TruncatedRecord,
)
from pushlab.protocol import base64url, encryption, trace


@pytest.fixture
def derivation(rfc8291):
    inputs = ("ecdh_secret", "auth_secret", "ua_public", "as_public", "salt")
    return encryption.derive(*map(rfc8291, inputs))


def test_the_steps_are_the_values_of_appendix_a(rfc8291, derivation):
    steps = trace.trace(derivation, rfc8291("plaintext"))
    for step in steps:
        assert step.value == rfc8291(step.name), step.name
    assert [step.name for step in steps] == [
        "ecdh_secret", "auth_secret", "PRK_key", "key_info", "IKM", "salt", "PRK", "cek_info",
        "CEK", "nonce_info", "NONCE", "header", "padded_plaintext", "ciphertext", "body",
    ]  # fmt: skip


def test_without_a_plaintext_the_steps_end_at_the_nonce(derivation):
    assert trace.trace(derivation)[-1].name == "NONCE"
    assert trace.trace(derivation, b"")[-1].name == "body"
    with pytest.raises(PlaintextTooLong):
        trace.trace(derivation, bytes(3994))


def test_a_step_prints_its_formula_and_not_its_value(derivation):
    for step in trace.trace(derivation, b"secret"):
        assert step.formula in str(step) and f"{len(step.value)} bytes" in str(step)
        for printed in (str(step), repr(step)):
            assert step.value.hex() not in printed and repr(step.value) not in printed


def covered(spans, length) -> bool:
    """Tell whether spans follow one another without a gap from 0 to length."""
    starts = [span.start for span in spans] + [length]
    return starts == [0] + [span.end for span in spans] and all(map(len, spans))


def test_every_byte_of_a_body_has_a_name(rfc8291):
    body = rfc8291("body")
    spans = trace.spans(body)
    assert covered(spans, len(body))
    parts = {span.name: body[span.start : span.end] for span in spans}
    assert parts["salt"] == rfc8291("salt")
    assert parts["04"] + parts["x"] + parts["y"] == rfc8291("as_public")
    assert parts["sealed"] + parts["tag"] == rfc8291("ciphertext")
    assert len(parts["tag"]) == 16


def test_a_body_cut_anywhere(rfc8291, outcome):
    body = rfc8291("body")
    for length in range(len(body)):
        result = outcome(trace.spans, body[:length])
        if length < 86:
            assert result is TruncatedHeader
        elif length < 86 + 17:
            assert result is TruncatedRecord
        else:
            assert covered(result, length)
    assert outcome(trace.spans, body + bytes(4096)) is TooManyRecords
    assert outcome(trace.spans, bytes(18) + b"\x10\x00\x00" + bytes(17)) is BadKeyid


def test_every_character_of_a_token_has_a_name(vector):
    token = vector("rfc8292")["t"]
    spans = trace.token_spans(token)
    assert covered(spans, len(token))
    parts = {span.name: token[span.start : span.end] for span in spans}
    assert len(base64url.decode(parts["signature"])) == 64
    assert spans[0].meaning == '{"typ":"JWT","alg":"ES256"}'
    assert spans[2].meaning == base64url.decode(parts["claims"]).decode()


@pytest.mark.parametrize("token", ["", "a.b", "e30.e30.!", "e30.e30.AA.AA", "e30.bnVsbA.AA"])
def test_what_is_not_a_token(token):
    with pytest.raises(BadToken):
        trace.token_spans(token)


def test_spans_print_themselves(rfc8291):
    assert str(trace.spans(rfc8291("body"))[1]) == "  16-20   rs: record size 4096 (RFC 8188 §2.1)"
