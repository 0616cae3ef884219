#!/usr/bin/env bash
# Writes the migrations for changed models into this folder, as its owner. It needs no stack, so in a new clone it
# creates neither .env nor secrets.
#
#   deploy/migrations.sh [APP…]     without a name: every app of this folder
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

# shellcheck source=deploy/lib/place.sh
. deploy/lib/place.sh

own migrations
if part=$(unusable_part "$PWD"); then
    refuse migrations "$part in the folder's path, $PWD" "a path that Compose can take" "mv $(printf %q "$PWD") <another name>"
fi
bash deploy/engine.sh
bash deploy/build-settings.sh
images=$(bash deploy/base-images.sh --print)
arguments=()
while read -r line; do arguments+=(--build-arg "$line"); done <<< "$images"
# The image that `make up` builds, but with another name: the serving image must keep its name.
image=$(project_name .)-migrations
docker buildx build --quiet --load --file services/Dockerfile --target web --tag "$image" "${arguments[@]}" \
    --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL --build-arg HTTP_PROXY --build-arg HTTPS_PROXY --build-arg NO_PROXY \
    --secret id=ca_bundle,src=.state/ca-bundle.pem --secret id=pip_config,src=.state/pip.conf . > /dev/null
trap 'docker image rm --no-prune "$image" > /dev/null' EXIT

# These values are placeholders, as when the image collects static files. The database is empty, since migrations
# depend only on the models and on earlier migrations.
# shellcheck disable=SC2012  # the name is ours, and stat differs from system to system
options=(--rm --network none --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges
    --user "$(ls -dn MyChannels | awk '{ print $3 ":" $4 }')" --mount "type=bind,source=$PWD,target=/srv"
    --env PYTHONDONTWRITEBYTECODE=1 --env DATA_DIR=/tmp --env SECRET_KEY=unused --env PUBLIC_URL=http://unused
    --env ALLOWED_HOSTS=unused --env REDIS_URL=unused --env REDIS_PASSWORD=unused)
[ ! -t 0 ] || options+=(--interactive --tty) # Django may ask questions about changed fields
docker run "${options[@]}" "$image" python manage.py makemigrations "$@"
