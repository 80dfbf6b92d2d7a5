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


@app.post("/notify-all")
def notify_all():
    """Send to everybody, and return what the library says."""
    errors = []
    for subscription in list(subscriptions.values()):
        try:
            push.send(subscription, request.json["payload"], ttl=int(request.json.get("ttl") or 0))
        except WebPushException as error:
            errors.append(str(error))
    return {"errors": errors}, 502 if errors else 200


if __name__ == "__main__":
    app.run("127.0.0.1", int(port))
