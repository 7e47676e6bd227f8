# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# On a new user's machine: installs the packages in /mnt, keeps there what a guest boots with,
# and purges them. What is checked afterwards is in the files that this leaves in /mnt.
out=/mnt
# Users install packages with their documentation.
sed -i '/^path-exclude/d' /etc/dpkg/dpkg.cfg.d/*
apt-get -q update

# Lists all files that a package could leave behind, except logs and lists of apt and dpkg.
listing() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /mnt -o -path /tmp -o -path /var/cache \
        -o -path /var/log -o -path /var/lib/apt -o -path /var/lib/dpkg \) -prune -o -print | sort
}
modules() { (cd /lib/modules && find . -type f ! -name 'modules.*' | sort); }

modules >$out/modules.before
start=$(date +%s)
# Recommended packages are left out: the dependencies must be enough.
apt-get -q -y --no-install-recommends install $out/*.deb || {
    cat /var/lib/dkms/kalloc/*/build/make.log
    exit 1
}
echo "installed in $(($(date +%s) - start)) s"

dkms status >$out/status
cat /var/lib/dkms/kalloc/*/*/*/log/make.log
ls -A /var/lib/dkms/kalloc/*/build >$out/left 2>/dev/null || :
modules >$out/modules.installed
mkdir $out/files
cp -a --parents /lib/modules /etc/modprobe.d /usr/bin/kalloctop /var/lib/dkms/mok.pub $out/files
# A guest gets modules without their build trees.
find $out/files -name build -delete -o -name source -delete
for page in kallocinfo.5 kalloctop.8 rust-kbuild.1; do ls /usr/share/man/man${page#*.}/$page.gz; done
ls /etc/modprobe.d/kalloc-dkms.conf /usr/bin/rust-kbuild /usr/share/bash-completion/completions/kalloctop \
    /usr/share/zsh/vendor-completions/_kalloctop /usr/share/fish/vendor_completions.d/kalloctop.fish
rust-kbuild check /lib/modules/*/updates/dkms/kalloc*.ko* >$out/check 2>&1

listing >$out/listing.installed

# The kernel's packages are configured anew, as in an upgrade, while the source is of another series.
release=$(cd /lib/modules && echo *)
configured() {
    dpkg-reconfigure -f noninteractive "linux-headers-$release" || dpkg-query -W -f '${Status}\n' "linux-headers-$release"
    /etc/kernel/header_postinst.d/dkms "$release" "/boot/vmlinuz-$release"
    echo "status $?"
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' "linux-headers-$release" kalloc-dkms
    dkms status
}
mkdir /tmp/away
mv /usr/src/linux-source-* /tmp/away
dkms unbuild -m kalloc -v "$(dkms status | sed 's|kalloc/\([^,]*\),.*|\1|')" -k "$release"
configured >$out/skipped 2>&1
mv /tmp/away/linux-source-* /usr/src
configured >$out/returned 2>&1

# rust-kbuild stays without kalloc.
apt-get -q -y purge kalloc-dkms kalloc-tools
(cd /tmp && rust-kbuild --dry-run --release "$release") >$out/alone 2>&1 && echo "alone works" >>$out/alone
apt-get -q -y purge rust-kbuild
modules >$out/modules.purged
listing >$out/listing.purged
dpkg-query -W -f '${Package} ${Status}\n' 'kalloc*' rust-kbuild >$out/packages 2>&1 || :

# The lifetime of the packages: a second kernel of the other series, and upgrades in both orders. Each part ends with
# the state of the packages and of DKMS.
part() {
    name=$1
    shift
    echo "== $name"
    status=0
    "$@" 2>&1 || status=$?
    echo "status $status"
    dkms status
    dpkg --audit
}
install() { apt-get -q -y --no-install-recommends install "$@"; }
second=$(apt-cache search --names-only '^linux-headers-7[.]2[.].*-cloud-amd64$' | sed 's/^linux-headers-//; s/ .*//' | sort -V | tail -1)
old=$(dpkg-deb -f $out/kalloc-dkms_*.deb Version)
newer=$old+newer
# The next version of the packages: the same files.
for deb in rust-kbuild kalloc-dkms; do
    dpkg-deb -R $out/${deb}_*.deb /tmp/$deb
    grep -rlF "$old" /tmp/$deb/DEBIAN /tmp/$deb/usr/src/*/dkms.conf 2>/dev/null | xargs -r sed -i "s/$old/$newer/g"
done
mv "/tmp/kalloc-dkms/usr/src/kalloc-$old" "/tmp/kalloc-dkms/usr/src/kalloc-$newer"
for deb in rust-kbuild kalloc-dkms; do dpkg-deb -b /tmp/$deb /tmp/$deb.deb >/dev/null; done
{
    echo "kernels $release $second"
    part again install $out/rust-kbuild_*.deb $out/kalloc-dkms_*.deb
    part 'headers before image, stale source' install "linux-headers-$second"
    part 'source' install linux-source-7.2
    part 'kernel configured anew' dpkg-reconfigure -f noninteractive "linux-headers-$second"
    part 'image' install "linux-image-$second"
    part 'kernels first, then kalloc' install /tmp/rust-kbuild.deb /tmp/kalloc-dkms.deb
    part 'kernel removed' apt-get -q -y purge "linux-headers-$second" "linux-image-$second"
    part 'kalloc first, then kernel' install "linux-image-$second" "linux-headers-$second"
    part 'removed' apt-get -q -y remove kalloc-dkms
    find /lib/modules /var/lib/dkms -name 'kalloc*'
    part 'purged' apt-get -q -y purge kalloc-dkms rust-kbuild "linux-headers-$second" "linux-image-$second"
} >$out/lifetime

# The firmware of a machine whose owner has enrolled the key of DKMS.
apt-get -q -y --no-install-recommends install ovmf python3-virt-firmware
openssl x509 -inform DER -in $out/files/var/lib/dkms/mok.pub -out /tmp/mok.pem
cp /usr/share/OVMF/OVMF_CODE_4M.fd $out/firmware.fd
virt-fw-vars --input /usr/share/OVMF/OVMF_VARS_4M.fd --add-db "$(cat /proc/sys/kernel/random/uuid)" /tmp/mok.pem \
    --output $out/variables.fd
echo "to the end" >$out/done
