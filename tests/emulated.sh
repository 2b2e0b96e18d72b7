#!/usr/bin/env bash
# Runs tests in an emulated machine, whose kernel is Debian's and tells which pages are written to.
#
#     ./dev emulated tests/hosts/test_pre_copy.py
#
# It needs no virtualization: qemu emulates every instruction, which makes it some 15 times slower.
# The machine has this one's file system, read-only, with what it writes kept in its own memory. What
# is read most is on a disk of its own: each name that is not there costs a question otherwise.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

KEPT=$PWD/.tools/emulated
MEMORY=${EMULATED_MEMORY:-8G}
MODULES="virtio_pci virtio_blk ext4 9pnet_virtio 9p overlay"
LIMIT_S=${EMULATED_LIMIT_S:-3600}

have() { command -v "$1" >/dev/null 2>&1; }

fetch() { # a kernel and a shell for its first minute, unpacked, not installed
    local package
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: //p' | head -1)
    case $package in
    linux-image-*) ;;
    *) echo "apt knows no linux-image-amd64; apt-get update, on Debian" >&2 && exit 1 ;;
    esac
    rm -rf "$KEPT" && mkdir -p "$KEPT/unpacked"
    (cd "$KEPT" && apt-get -q download "$package" busybox-static >/dev/null)
    for file in "$KEPT"/*.deb; do dpkg -x "$file" "$KEPT/unpacked"; done
    rm "$KEPT"/*.deb
}

lay_out_first_disk() { # what the kernel starts before it has a file system
    local root=$KEPT/first modules version name
    modules=$(echo "$KEPT"/unpacked/lib/modules/*)
    version=${modules##*/}
    rm -rf "$root" && mkdir -p "$root"/{bin,dev,proc,sys,below,memory,root,modules}
    cp "$KEPT/unpacked/bin/busybox" "$root/bin/"
    /sbin/depmod -b "$KEPT/unpacked" "$version"
    for name in $MODULES; do
        /sbin/modprobe -d "$KEPT/unpacked" -S "$version" --show-depends "$name" | awk '/^insmod/ { print $2 }'
    done | awk '!seen[$0]++' | while read -r file; do
        cp "$file" "$root/modules/"
        basename "$file" >>"$root/order"
    done
    cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read -r file; do insmod "/modules/$file"; done </order
mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=524288,ro host /below
mount -t tmpfs -o size=80% memory /memory; mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/below,upperdir=/memory/upper,workdir=/memory/work root /root
for each in proc sys dev; do mount --move "/$each" "/root/$each"; done
exec switch_root /root /bin/sh "$(sed -n 's/.*script=\([^ ]*\).*/\1/p' /root/proc/cmdline)"
INIT
    chmod +x "$root/init"
    (cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1 >"$KEPT/first.gz")
}

quick_paths() { # the image of the lab's hosts, this tree, and its Python
    echo /var/cache/ssi/lab
    echo "$PWD"
    .venv/bin/python -c 'import sys; print(sys.base_prefix)' | grep -v '^/usr$' || true
}

fill_disk() {
    local path number=0
    rm -rf "$KEPT/disk" "$KEPT/quick" && mkdir "$KEPT/quick"
    for path in $(quick_paths); do
        number=$((number + 1))
        mkdir "$KEPT/quick/$number"
        tar -C "$path" --exclude=./.tools -cf - . | tar -C "$KEPT/quick/$number" -xf -
    done
    truncate -s "$(($(du -sm "$KEPT/quick" | cut -f1) * 3 / 2 + 256))M" "$KEPT/disk"
    /sbin/mke2fs -q -t ext4 -d "$KEPT/quick" "$KEPT/disk"
    rm -rf "$KEPT/quick"
}

write_script() { # what it does then; its last word is how the tests ended
    local modules
    modules=$(echo "$KEPT"/unpacked/lib/modules/*)
    cat >"$KEPT/script" <<SCRIPT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
for name in fuse unix_diag inet_diag tcp_diag udp_diag netlink_diag af_packet_diag veth bridge tun \
    sch_tbf; do
    modprobe -d "$KEPT/unpacked" "\$name" 2>/dev/null
done
mkdir -p /dev/pts /dev/shm; mount -t devpts -o ptmxmode=666 pts /dev/pts; mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run; mkdir -p /run/lock /var/lib/ssi-lab
mkdir -p /run/quick; mount -t ext4 /dev/vda /run/quick; number=0
for path in $(quick_paths | tr '\n' ' '); do
    number=\$((number + 1)); mount --bind "/run/quick/\$number" "\$path"
done
mount -t tmpfs lab /var/lib/ssi-lab; mount -t cgroup2 cgroup /sys/fs/cgroup; ip link set lo up
cd "$PWD"; export SSI_TESTS_SLOWER=8
.venv/bin/python -m pytest -p no:cacheprovider -n 0 $(printf '%q ' "$@") </dev/null
echo "emulated: ended with \$?"
echo o >/proc/sysrq-trigger; sleep 60
SCRIPT
}

have qemu-system-x86_64 && have cpio || {
    echo "apt-get install --no-install-recommends qemu-system-x86 cpio kmod   # first" >&2
    exit 1
}
[ -d "$KEPT/unpacked" ] || fetch
[ -f "$KEPT/first.gz" ] || lay_out_first_disk
fill_disk
write_script "$@"
qemu=(qemu-system-x86_64 -accel tcg,thread=multi,tb-size=1024 -cpu max -smp 2 -m "$MEMORY"
    -kernel "$(echo "$KEPT"/unpacked/boot/vmlinuz-*)" -initrd "$KEPT/first.gz"
    -append "console=ttyS0 quiet panic=-1 mitigations=off script=$KEPT/script"
    -display none -serial stdio -monitor none -no-reboot -nic none
    -virtfs "local,path=/,mount_tag=host,security_model=passthrough,multidevs=remap,readonly=on"
    -drive "file=$KEPT/disk,format=raw,if=virtio,snapshot=on")
timeout "$LIMIT_S" "${qemu[@]}" </dev/null | tee "$KEPT/told"
status=$(sed -n 's/^emulated: ended with \([0-9]*\).*/\1/p' "$KEPT/told")
exit "${status:-1}"
