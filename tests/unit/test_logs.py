"""What is logged, read as an operator's tools would: line by line from standard error."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = """
import logging, logging.config, warnings
from asgi_correlation_id import correlation_id
from app.logs import logging_config

logging.config.dictConfig(logging_config(level="INFO", service="daphne"))
logging.getLogger("ours").debug("not asked for")
logging.getLogger("ours").info("你好 %s\\nand more", "world", extra={"room": "lobby"})
correlation_id.set("0123456789abcdef")
try:
    raise ValueError("boom")
except ValueError:
    logging.getLogger("django.request").exception("failed")
logging.getLogger("gunicorn.error").info("booting")
logging.getLogger("gunicorn.access").info("GET /")
"""


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


def test_each_record_is_one_json_object_on_one_line_with_its_request_and_its_origin() -> None:
    records: list[dict[str, Any]] = [json.loads(line) for line in run(PROGRAM).splitlines()]
    first, failed, booting = records
    for record in records:
        assert record["service"] == "daphne"
        assert record["worker"] == socket.gethostname()
        assert record["time"]
    assert (first["level"], first["logger"], first["message"]) == ("INFO", "ours", "你好 world\nand more")
    assert first["room"] == "lobby"
    assert first["request_id"] is None
    assert failed["request_id"] == "0123456789abcdef"
    assert (failed["level"], failed["logger"]) == ("ERROR", "django.request")
    assert "ValueError: boom" in failed["exc_info"]
    assert booting["logger"] == "gunicorn.error"


def test_chinese_stays_legible() -> None:
    assert "你好" in run(PROGRAM)


QUERIES = """
import logging.config
from app.logs import logging_config
logging.config.dictConfig(logging_config(level="INFO", service="web"))

import django
from django.conf import settings
https = ("HTTP_X_FORWARDED_PROTO", "https")
settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="unused", SECURE_PROXY_SSL_HEADER=https, LOGGING_CONFIG=None)
django.setup()
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory
from django.utils.log import log_response

request = RequestFactory().post("/form?token=secret", HTTP_REFERER="https://elsewhere.example/?token=secret",
                                HTTP_X_FORWARDED_PROTO="https")
CsrfViewMiddleware(lambda _: HttpResponse()).process_view(request, lambda _: HttpResponse(), (), {})
log_response("Not Found: %s", request.path, response=HttpResponse(status=404), request=request)
"""


def test_no_query_and_no_referrers_query_is_logged() -> None:
    said = run(QUERIES)
    refused, missing = map(json.loads, said.splitlines())
    assert "https://elsewhere.example/?…" in refused["message"]
    assert missing["message"] == "Not Found: /form"
    assert "secret" not in said
