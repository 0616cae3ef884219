"""A pytest plugin: our in-memory layer, which `make dev` runs with, in the place of the one of Channels."""

import channels.layers

from app.channel_layer import NamingMemoryChannelLayer

channels.layers.InMemoryChannelLayer = NamingMemoryChannelLayer
