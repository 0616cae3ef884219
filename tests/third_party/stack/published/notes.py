"""djangochannelsrestframework: actions on a model, and observers of all its instances and of one."""

from djangochannelsrestframework.decorators import action
from djangochannelsrestframework.generics import GenericAsyncAPIConsumer
from djangochannelsrestframework.mixins import CreateModelMixin, PatchModelMixin
from djangochannelsrestframework.observer import model_observer
from djangochannelsrestframework.observer.generics import ObserverModelInstanceMixin
from rest_framework.serializers import ModelSerializer

from .models import Note


class NoteSerializer(ModelSerializer):
    class Meta:
        model = Note
        fields = ("id", "text")


class NoteConsumer(ObserverModelInstanceMixin, CreateModelMixin, PatchModelMixin, GenericAsyncAPIConsumer):
    queryset = Note.objects.all()
    serializer_class = NoteSerializer

    # The package hands each key of the event on: one that it did not send would raise here.
    @model_observer(Note, serializer_class=NoteSerializer)
    async def any_note(self, message, observer, message_type, subscribing_request_ids, group, action):
        for request_id in subscribing_request_ids:
            await self.reply(action, message, request_id=request_id)

    @action()
    async def subscribe_to_all(self, request_id, **kwargs):
        await self.any_note.subscribe(request_id=request_id)
        return None, 201
