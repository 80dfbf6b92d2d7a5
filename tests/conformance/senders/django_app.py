"""django-webpush: an app with its view that stores subscriptions, and one that sends to all of them.

POST /webpush/save_information   {"status_type", "subscription", "browser", "group"}   its own view
POST /notify-all                 {"payload"}                  calls its send_group_notification()

python django_app.py PORT FOLDER VAPID_PRIVATE
"""

import json
import sys

import django
from django.conf import settings

port, folder, vapid_private = sys.argv[1:]
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{folder}/db.sqlite3",
            "OPTIONS": {"timeout": 60},
        }
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "webpush"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of an examination",
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    WEBPUSH_SETTINGS={
        "VAPID_PRIVATE_KEY": vapid_private,
        "VAPID_ADMIN_EMAIL": "push@example.com",
    },
)
django.setup()

from django.core.management import call_command  # noqa: E402  Django is set up first
from django.core.servers.basehttp import run  # noqa: E402  Django is set up first
from django.core.wsgi import get_wsgi_application  # noqa: E402  Django is set up first
from django.http import JsonResponse  # noqa: E402  Django is set up first
from django.urls import include, path  # noqa: E402  Django is set up first
from django.views.decorators.csrf import csrf_exempt  # noqa: E402  Django is set up first
from pywebpush import WebPushException  # noqa: E402  Django is set up first
from webpush import send_group_notification  # noqa: E402  Django is set up first
from webpush.models import SubscriptionInfo  # noqa: E402  Django is set up first
from webpush.utils import send_to_subscription  # noqa: E402  Django is set up first


def post(view):
    """Let programs post to a view, and no page of another site."""

    @csrf_exempt
    def guarded(request):
        if "Origin" in request.headers:
            return JsonResponse({}, status=403)
        return view(json.loads(request.body))

    return guarded


@post
def notify_me(body):
    """Send to one subscription, and say what the library returns or raises."""
    subscription = SubscriptionInfo.objects.filter(endpoint=body["endpoint"]).first()
    if subscription is None:
        return JsonResponse({}, status=404)
    try:
        response = send_to_subscription(subscription, body["payload"], int(body.get("ttl") or 0))
    except WebPushException as error:
        return JsonResponse({"error": str(error)}, status=502)
    return JsonResponse({"status": getattr(response, "status_code", "removed")})


@post
def notify_all(body):
    """Send to everybody. What the library raises is answered with 500."""
    send_group_notification("all", body["payload"], ttl=int(body.get("ttl") or 0))
    return JsonResponse({})


urlpatterns = [
    path("webpush/", include("webpush.urls")),
    path("notify-me", notify_me),
    path("notify-all", notify_all),
]

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    run("127.0.0.1", int(port), get_wsgi_application(), threading=True)
