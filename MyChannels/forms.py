"""The form on the first page."""

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from MyChannels.groups import ROOM_NAME, ROOM_NAME_LENGTH


class RoomForm(forms.Form):
    """The name of a room to open."""

    room_name = forms.CharField(
        label=_("Name of the room"),
        help_text=_("Letters a–z, digits, hyphens and underscores; at most 80."),
        max_length=ROOM_NAME_LENGTH,
        validators=[RegexValidator(rf"^{ROOM_NAME}\Z", _("Only letters a–z, digits, hyphens and underscores."))],
        widget=forms.TextInput(
            attrs={
                "autofocus": True,
                "autocapitalize": "none",
                "autocomplete": "off",
                "enterkeyhint": "go",
                "pattern": ROOM_NAME,
                "spellcheck": "false",
                "title": _("Only letters a–z, digits, hyphens and underscores."),
            }
        ),
    )
