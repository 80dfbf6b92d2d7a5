"""flask-pywebpush: an app that keeps subscriptions in a list, and sends with ``WebPush.send``.

POST /add-subscription   a PushSubscription
POST /notify-all         {"payload"}

python flask_app.py PORT FOLDER VAPID_PRIVATE
"""

import sys

from flask import Flask, request
from flask_pywebpush import WebPush, WebPushException

port, _, vapid_private = sys.argv[1:]
app = Flask(__name__)
push = WebPush(app, private_key=vapid_private, sender_info="mailto:push@example.com")
subscriptions = {}


@app.post("/add-subscription")
def add_subscription():
    """Keep what a page posts. The library keeps nothing."""
    subscriptions[request.json["endpoint"]] = request.json
    return {}, 201


def send(subscription):
    """Send what is asked for to one, and return what the library says: nothing, or an error."""
    try:
        push.send(subscription, request.json["payload"], ttl=int(request.json.get("ttl") or 0))
    except WebPushException as error:
        return str(error)
    return ""


@app.post("/notify-me")
def notify_me():
    """Send to one subscription."""
    if (subscription := subscriptions.get(request.json["endpoint"])) is None:
        return {}, 404
    error = send(subscription)
    return {"error": error}, 502 if error else 200


@app.post("/notify-all")
def notify_all():
    """Send to everybody."""
    return {"errors": list(filter(None, map(send, list(subscriptions.values()))))}


if __name__ == "__main__":
    app.run("127.0.0.1", int(port))
