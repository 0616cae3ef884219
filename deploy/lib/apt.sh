# shellcheck shell=bash
# Reads the machine's own apt configuration. Mirrors come only from there and are never
# hard-coded, so that everything also works behind a company's mirror.

os_like() { # os_like debian: is this Debian, Ubuntu or a derivative?
    [ -r /etc/os-release ] || return 1
    # shellcheck disable=SC1091
    case " $(. /etc/os-release && echo "${ID-} ${ID_LIKE-}") " in *" $1 "*) ;; *) return 1 ;; esac
}

is_debian() { os_like debian && ! os_like ubuntu; }

# The mirror of the package archive, or with the argument "Debian-Security" of the security archive.
# DEBIAN_MIRROR is for machines whose own sources are not Debian's (Ubuntu).
debian_mirror() {
    local label=${1:-Debian}
    if [ "$label" = Debian ] && [ -n "${DEBIAN_MIRROR-}" ]; then
        echo "$DEBIAN_MIRROR"
        return
    fi
    # shellcheck disable=SC2016  # apt's own placeholders
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        awk -v label="$label" '$1 == label && !seen { print $2; seen = 1 }'
}

# The keys that must have signed every Release file.
debian_keyring() {
    local ring
    for ring in /usr/share/keyrings/debian-archive-keyring.pgp /usr/share/keyrings/debian-archive-keyring.gpg; do
        [ ! -r "$ring" ] || { echo "$ring" && return; }
    done
    return 1
}

candidate() { # candidate PACKAGE: the version that apt would install, if any
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'
}
