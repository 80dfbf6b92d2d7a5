"""The least that Django needs."""

SECRET_KEY = "only for tests"
ROOT_URLCONF = "views"
USE_TZ = True
VAPID_PRIVATE_KEY = ""
VAPID_CONTACT = "mailto:readers@example.com"
