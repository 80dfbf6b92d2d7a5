"""Django is set up once, before a test imports a view."""

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()
