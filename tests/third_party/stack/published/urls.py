import django_eventstream
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from . import accounts
from .models import Note


@csrf_exempt
def note(request):
    Note.objects.create(text=request.POST["text"])
    return HttpResponse()


urlpatterns = [
    path("enter", accounts.enter),
    path("note", note),
    path("news", include(django_eventstream.urls), {"channels": ["news"]}),
]
