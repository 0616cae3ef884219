"""Root HTTP routes."""

from django.contrib import admin
from django.urls import include, path

# The first route that matches takes the request.
urlpatterns = [
    # Those of your own apps go here, before ours: path("chat/", include("chat.urls")),
    path("admin/", admin.site.urls),
    path("", include("MyChannels.urls")),
]
