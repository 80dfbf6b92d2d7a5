"""A shop, written with Flask: it tells its customers by web push when a parcel is on its way.

A shop that is more than an example also has a login, and sends to known push services only.
"""

import json

from flask import Flask, request
from pywebpush import WebPushException, webpush
from requests import RequestException


def create_app(public_key: str, private_key: str, contact: str) -> Flask:
    app = Flask(__name__, static_url_path="")
    subscriptions: dict[str, dict] = {}

    @app.get("/")
    def page():
        return app.send_static_file("index.html")

    @app.get("/key")
    def key():
        return public_key

    @app.post("/subscriptions")
    def subscribe():
        subscription = request.get_json()
        subscriptions[subscription["endpoint"]] = subscription
        return "", 201

    @app.post("/orders/<int:number>/ship")
    def ship(number: int):
        message = json.dumps({"title": "Your parcel is on its way", "body": f"Order {number}"})
        reached = 0
        for endpoint, subscription in list(subscriptions.items()):
            try:
                webpush(
                    subscription, message, vapid_private_key=private_key,
                    vapid_claims={"sub": contact}, ttl=24 * 60 * 60, timeout=10,
                )  # fmt: skip
                reached += 1
            except (WebPushException, RequestException) as error:
                if error.response is not None and error.response.status_code in (404, 410):
                    del subscriptions[endpoint]
        return {"subscribed": len(subscriptions), "reached": reached}

    return app
