#!/usr/bin/env bash
# Runs a command in the test image, building what is missing first: engine, base images, test image.
#
#   tests/image.sh COMMAND…
#
# TESTS_IMAGE names the image, where another one than everybody's is wanted.
# The container has the host's network (the stack's published port), the engine's socket (kill,
# scale, inspect), and this folder at its own path: the engine resolves the paths of mounts itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

bash deploy/engine.sh
bash deploy/build-settings.sh
image=${TESTS_IMAGE:-channels-tests}
images=$(bash deploy/base-images.sh --print)
python_image=$(sed -n 's/^PYTHON_IMAGE=//p' <<< "$images")
# By its id from here on: another clone may give the name to an image of its own meanwhile.
image=$(docker buildx build --quiet --load --file tests/Dockerfile --tag "$image" \
    --build-arg PYTHON_IMAGE="$python_image" --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL \
    --build-arg HTTP_PROXY --build-arg HTTPS_PROXY --build-arg NO_PROXY \
    --secret id=ca_bundle,src=.state/ca-bundle.pem --secret id=pip_config,src=.state/pip.conf .)

socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
options=(--rm --init --network host --volume "${socket#unix://}:/var/run/docker.sock" --volume "$root:$root" --workdir "$root")
[ ! -t 0 ] || options+=(--interactive --tty)
# What tests write belongs to who runs them; the socket belongs to a group of its own.
group=$(docker run --rm --volume "${socket#unix://}:/var/run/docker.sock" "$image" stat -c %g /var/run/docker.sock)
options+=(--user "$(id -u):$(id -g)" --group-add "$group")
while read -r line; do options+=(--env "$line"); done <<< "$images"
# `make lock` and `make audit` ask the package index, past whatever stands between.
if [ -s .state/ca-bundle.pem ]; then
    for name in PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE; do options+=(--env "$name=$root/.state/ca-bundle.pem"); done
fi
for name in HTTP_PROXY HTTPS_PROXY NO_PROXY PIP_INDEX_URL PIP_EXTRA_INDEX_URL; do options+=(--env "$name"); done
exec docker run "${options[@]}" --env TESTS_IMAGE="$image" --env CI --env SCREENSHOTS --env WEBSOCKETS "$image" "$@"
