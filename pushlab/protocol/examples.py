"""The examples that the RFCs print, as values to compute with. Their private keys are no secrets.

RFC8291   Section 5 and Appendix A: one push message, with its intermediate values
RFC8292   Section 2.4: one VAPID token, and the public key that it verifies with
"""

from types import MappingProxyType, SimpleNamespace

from pushlab.protocol import base64url
from pushlab.protocol.subscription import PushSubscription

# https://www.rfc-editor.org/rfc/rfc8291#section-5
RFC8291 = SimpleNamespace(
    plaintext=b"When I grow up, I want to be a watermelon",
    endpoint="https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV",
    **{
        name: base64url.decode(text)
        for name, text in {
            "as_private": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
            "as_public": "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIg"
            "Dll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
            "ua_private": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
            "ua_public": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
            "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "auth_secret": "BTBZMqHH6r4Tts7J_aSIgg",
            "salt": "DGv6ra1nlYgDCS1FRnbzlw",
            "body": "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
            "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
            "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
        }.items()
    },
)
RFC8291.subscription = PushSubscription(RFC8291.endpoint, RFC8291.ua_public, RFC8291.auth_secret)

# https://www.rfc-editor.org/rfc/rfc8292#section-2.4
RFC8292 = SimpleNamespace(
    claims=MappingProxyType(
        {"aud": "https://push.example.net", "exp": 1453523768, "sub": "mailto:push@example.com"}
    ),
    token="eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJl"
    "eHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_H"
    "LGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA",
    public=base64url.decode(
        "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
    ),
)
