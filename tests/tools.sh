#!/bin/sh
# Installs the independent judges that tests need (Debian's packages), or says loudly what is missing.
#   sh tests/tools.sh xmlsec1 java mvn
set -u
PATH="$PATH:/usr/sbin"  # where Debian keeps servers
missing=""
has() {  # Debian keeps PostgreSQL's programs out of the path, and nginx's stream module in a package of its own
    [ "$1" != nginx ] || [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || return 1
    command -v "$1" >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1
}
for tool in "$@"; do
    has "$tool" || missing="$missing $tool"
done
[ -z "$missing" ] && exit 0
packages=""
for tool in $missing; do
    case "$tool" in
        java) packages="$packages default-jdk-headless" ;;
        mvn) packages="$packages maven" ;;
        postgres) packages="$packages postgresql" ;;
        cc) packages="$packages gcc libc6-dev" ;;
        ip) packages="$packages iproute2" ;;
        softhsm2-util) packages="$packages softhsm2" ;;
        certutil | pk12util) packages="$packages libnss3-tools" ;;
        nginx) packages="$packages nginx libnginx-mod-stream" ;;
        pdfsig | pdftotext) packages="$packages poppler-utils" ;;
        *) packages="$packages $tool" ;;
    esac
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$packages ..."
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $packages; } >/dev/null 2>&1
fi
for tool in $missing; do
    has "$tool" || echo "!!! MISSING: $tool (Debian:$packages). The tests that need it are SKIPPED." >&2
done
exit 0
