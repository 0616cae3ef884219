"""What the stack asks of each base image; docs/base-images.md has the same table.

For each image: a claim, a shell command that is run in it, and what its output has to match.
"""

NEEDS: dict[str, list[tuple[str, str, str]]] = {
    "PYTHON_IMAGE": [
        ("Python 3.13", "python --version", r"Python 3\.13\.\d+"),
        ("mimalloc", "PYTHONMALLOC=mimalloc python -c 'print(1)'", "1"),
        ("venv with pip", "python -m venv /tmp/v && /tmp/v/bin/pip --version", r"pip \d+.*"),
        ("SQLite >= 3.37", "python -c 'import sqlite3; print(sqlite3.sqlite_version_info >= (3, 37))'", "True"),
        ("time zones", "python -c 'import zoneinfo; print(zoneinfo.ZoneInfo(\"Asia/Shanghai\"))'", "Asia/Shanghai"),
        ("CA certificates", "test -s /etc/ssl/certs/ca-certificates.crt && echo yes", "yes"),
        ("no user 10001", "getent passwd 10001 || echo none", "none"),
        *(
            (f"the tool {tool}", f"command -v {tool}", r"/\S+")
            for tool in ("chmod", "chown", "find", "flock", "grep", "gzip", "install", "sed", "sh")
        ),
    ],
    "NGINX_IMAGE": [
        ("nginx >= 1.30.4", "nginx -v 2>&1", r"nginx version: nginx/1\.(30\.([4-9]|\d\d+)|(3[1-9]|[4-9]\d)\.\d+).*"),
        ("gzip_static", "nginx -V 2>&1 | grep -o with-http_gzip_static_module", ".+"),
        ("upstream zone", "nginx -V 2>&1 | grep -c without-http_upstream_zone_module", "0"),
        ("the user nginx is 101:101", "id -u nginx; id -g nginx", "101\n101"),
        ("/etc/nginx/mime.types", "grep -c text/css /etc/nginx/mime.types", "[1-9]"),
        *(
            (f"the tool {tool}", f"command -v {tool}", r"/\S+")
            for tool in ("awk", "curl", "envsubst", "mkdir", "readlink", "sed", "sh", "stdbuf", "tar", "timeout", "tr")
        ),
    ],
    "REDIS_IMAGE": [
        ("Redis 8.0", "redis-server --version", r"Redis server v=8\.0\.\d+ .*"),
        ("redis-cli", "redis-cli --version", r"redis-cli 8\.0\.\d+"),
        ("the user redis is 999", "id -u redis", "999"),
        *(
            (f"the tool {tool}", f"command -v {tool}", r"/\S+")
            for tool in (
                "cat",
                "chmod",
                "chown",
                "cp",
                "cut",
                "df",
                "find",
                "grep",
                "head",
                "install",
                "od",
                "redis-check-aof",
                "sh",
                "sha256sum",
                "tail",
                "timeout",
                "tr",
            )
        ),
    ],
}
