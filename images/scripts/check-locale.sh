#!/bin/sh
# The default locale exists: glibc would only warn, and every ssh session would.
set -eu
# shellcheck source=/dev/null
. /etc/default/locale
wanted=$(printf '%s' "${LANG:?}" | sed 's/UTF-8/utf8/')
locale -a | grep -qiFx -e "$wanted" -e "$LANG" || { echo "no locale $LANG" && exit 1; }
