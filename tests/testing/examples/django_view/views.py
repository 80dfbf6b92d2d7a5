"""A view, written with Django, that welcomes each reader who subscribes."""

import json

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from pywebpush import WebPushException, webpush
from requests import RequestException


@csrf_exempt
@require_POST
def subscribe(request: HttpRequest) -> JsonResponse:
    subscription = json.loads(request.body)
    try:
        webpush(
            subscription, "Welcome!", vapid_private_key=settings.VAPID_PRIVATE_KEY,
            vapid_claims={"sub": settings.VAPID_CONTACT}, ttl=60, timeout=10,
            headers={"Urgency": "low", "Topic": "welcome"},
        )  # fmt: skip
    except (WebPushException, RequestException) as error:
        why = "the push service did not answer" if error.response is None else error.response.text
        return JsonResponse({"error": why}, status=400)
    cache.set("subscriptions", [*cache.get("subscriptions", []), subscription])
    return JsonResponse({}, status=201)


urlpatterns = [path("subscriptions", subscribe)]
