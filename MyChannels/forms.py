"""What a visitor may type."""

from django import forms
from django.core.validators import RegexValidator

from MyChannels.groups import ROOM_NAME, ROOM_NAME_LENGTH


class RoomForm(forms.Form):
    """The name of a room to open."""

    room_name = forms.CharField(
        label="Room 房间",
        max_length=ROOM_NAME_LENGTH,
        validators=[
            RegexValidator(
                rf"^{ROOM_NAME}\Z", "Letters, digits, hyphens and underscores only. 只能用字母、数字、连字符和下划线。"
            )
        ],
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off", "pattern": ROOM_NAME}),
    )
