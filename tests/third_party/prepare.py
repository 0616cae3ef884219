"""Makes the database of a test's server: one user with all her tokens, which are printed as JSON."""

import json

import django
from django.core.management import call_command

django.setup()

# ruff: noqa: E402
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework_simplejwt.tokens import AccessToken

call_command("migrate", verbosity=0)
ann = User.objects.create_user("ann")
bob = User.objects.create_user("bob")
browser = Client()
browser.force_login(bob)
((name, cookie),) = browser.cookies.items()
tokens = {"drf": Token.objects.create(user=ann).key, "jwt": str(AccessToken.for_user(ann))}
print(json.dumps({**tokens, "session": cookie.value, "cookie": f"{name}={cookie.value}"}))
