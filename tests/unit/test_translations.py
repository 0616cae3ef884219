"""The Chinese catalogue is complete, and its compiled form is what the source says."""

import ast
import gettext
import re
from pathlib import Path

APP = Path(__file__).parents[2] / "MyChannels"
CATALOGUE = APP / "locale/zh_Hans/LC_MESSAGES"


def source() -> dict[str, str]:
    text = (CATALOGUE / "django.po").read_text()
    entries = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', text, re.MULTILINE)
    joined = [["".join(map(ast.literal_eval, part.splitlines())) for part in entry] for entry in entries]
    return {msgid: msgstr for msgid, msgstr in joined if msgid}


def used() -> set[str]:
    templates = "".join(path.read_text() for path in (APP / "templates").rglob("*.html"))
    in_templates = {text for _, text in re.findall(r"""\{% translate (["'])(.*?)\1 %\}""", templates)}
    in_forms = set(re.findall(r'\b_\("(.*?)"\)', (APP / "forms.py").read_text()))
    return in_templates | in_forms


def test_every_text_is_translated():
    assert used() == set(source())
    assert all(source().values())


def test_compiled_catalogue_agrees_with_its_source():
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert {msgid: compiled.gettext(msgid) for msgid in source()} == source()
    assert len(compiled._catalog) == len(source()) + 1  # type: ignore[attr-defined]  # and the header


def test_translations_keep_the_places():
    for msgid, msgstr in source().items():
        assert set(re.findall(r"\{\w+\}", msgid)) == set(re.findall(r"\{\w+\}", msgstr))


def test_chinese_punctuation_is_full_width():
    for msgstr in source().values():
        assert not re.search(r"[\u4e00-\u9fff][,:;?!]|[,;?!][\u4e00-\u9fff]", msgstr), msgstr
