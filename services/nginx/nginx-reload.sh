#!/bin/sh
# Loads the configuration that was published last, unless it is loaded already. nginx tests it first, keeps accepting
# requests meanwhile, and drops no socket.
set -eu

# Both commands open the pipe of the error log, and must not wait for it forever.
timely() { timeout 10 "$@" || { [ $? -ne 124 ] || echo "nginx: expected \`$*\` to end within 10 s, stopped it" >&2; return 1; }; }
loaded() { curl --noproxy '*' --silent --max-time 2 http://127.0.0.1:8081/configuration || true; }

published=$(basename "$(readlink -f /etc/nginx)")
if [ "$(loaded)" = "$published" ]; then
    echo "configuration $published is loaded already"
    exit
fi
rm -rf /run/nginx/loaded
mkdir /run/nginx/loaded
cp /run/nginx/*.conf /run/nginx/loaded
nginx-environment.sh
if ! timely nginx -t -q; then
    mv /run/nginx/loaded/*.conf /run/nginx
    exit 1
fi
timely nginx -s reload

# Wait until the new processes answer. The old ones stop accepting once the new ones run.
tries=100
until [ "$(loaded)" = "$published" ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "nginx: expected configuration $published within 10 s, found '$(loaded)'" >&2; exit 1; }
    sleep 0.1
done
echo "configuration $published is loaded"
