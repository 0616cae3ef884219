from typing import ClassVar

from django.db import models


class Note(models.Model):
    text = models.CharField(max_length=80)
    objects: ClassVar[models.Manager["Note"]] = models.Manager()

    def __str__(self):
        return self.text
