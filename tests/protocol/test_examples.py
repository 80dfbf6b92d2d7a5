"""The examples that lessons compute with are those of the vectors, and agree with one another."""

from pushlab.protocol import base64url, encryption, examples, p256, vapid


def test_the_example_of_rfc_8291_is_the_vector(vector):
    given, example = vector("rfc8291"), examples.RFC8291
    names = ["as_private", "as_public", "ua_private", "ua_public", "auth_secret", "salt", "body"]
    for name in [*names, "plaintext"]:
        assert getattr(example, name) == base64url.decode(given[name]), name


def test_the_example_of_rfc_8291_can_be_computed():
    example = examples.RFC8291
    as_private = p256.load_private(example.as_private)
    assert p256.raw_public(as_private) == example.as_public
    assert p256.raw_public(p256.load_private(example.ua_private)) == example.ua_public
    body = encryption.encrypt(
        example.plaintext, example.subscription, as_private=as_private, salt=example.salt
    )
    assert body == example.body


def test_the_example_of_rfc_8292_is_the_vector_and_verifies(vector):
    given, example = vector("rfc8292"), examples.RFC8292
    assert example.token == given["t"]
    assert example.public == base64url.decode(given["k"])
    assert dict(example.claims) == given["claims"]
    header = vapid.authorization(example.token, example.public)
    claims = vapid.verify(header, origin=example.claims["aud"], now=example.claims["exp"] - 1)
    assert (claims.aud, claims.exp, claims.sub) == tuple(example.claims.values())
