# SPDX-License-Identifier: GPL-2.0-only
# Runs commands of this project on a machine that seems to be another one. It runs in a mount
# namespace of its own, as root.
#
# $1: the cache, which is complete. Nothing can be downloaded: all accounts see it, none changes it.
# $2: a copy of the tree. $3: the path at which the account sees it. $4: ro, rw or full.
# $5: a directory with passwd, group, subuid and subgid. The rest is a command.
set -eu
cache=$1 copy=$2 at=$3 kind=$4 accounts=$5
shift 5

mount --make-rprivate /
mount -t tmpfs -o mode=755 held /mnt
mkdir /mnt/cache /mnt/copy
mount --bind "$cache" /mnt/cache
mount --bind "$copy" /mnt/copy
for file in passwd group subuid subgid; do
    [ -e /etc/$file ] || : >/etc/$file
    mount --bind "$accounts/$file" /etc/$file
done

# Makes a path that every account can reach. A private directory on the way is hidden by an empty one.
reach() {
    way=
    for part in $(dirname "$1" | tr ' /' '\n ' | tr '\n' '?'); do
        way=$way/$(printf %s "$part" | tr '?' ' ')
        case $(stat -c %A "$way" 2>/dev/null) in
            d????????x) ;;
            *) mount -t tmpfs -o mode=755 hidden "$way" 2>/dev/null || mkdir -p "$way" ;;
        esac
    done
    mkdir -p "$1"
}
reach "$cache"
mount --bind /mnt/cache "$cache"
mount -o remount,bind,ro "$cache"
reach "$at"
mount --bind /mnt/copy "$at"
case $kind in
    ro)
        mount -o remount,bind,ro "$at"
        # The built files belong into the cache.
        mount -t tmpfs -o mode=755 builds "$cache/builds"
        build=$(KALLOC_CACHE=$cache PYTHONPATH=$at/scripts python3 -B -c 'from kalloc_dev.core.paths import BUILD; print(BUILD)')
        cp -a /mnt/copy/build "$build"
        ;;
    full) mount -t tmpfs -o size=64k,mode=777 full "$at/build" ;;
esac
cd "$at"
exec "$@"
