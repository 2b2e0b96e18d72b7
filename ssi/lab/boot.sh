#!/bin/sh
# Boots one host of a lab: cgroup, namespaces, root, and then its init.
#
# Runs as root on the machine, twice: `boot.sh enter` joins the host's cgroup and makes its
# namespaces; `boot.sh mount`, pid 1 of them, makes its root and becomes its init. All mounts are
# made in the host's own mount namespace, so the machine never sees one and none is left behind.
#
# From the environment: LAB_CGROUP, LAB_IMAGE, LAB_DIR (upper, work and root of the overlay),
# LAB_HOST, LAB_ADDRESS (with prefix length), LAB_INIT (own or systemd). It prints `ready` when the root stands, and waits for
# `go`, which says that the cable is plugged in; its init prints `up` when the network stands. An
# end of file instead of `go` means that whoever boots us died: then so do we, and with pid 1 all
# namespaces.
set -eu

enter() {
    echo $$ >"$LAB_CGROUP/cgroup.procs"
    # `setsid --fork` makes pid 1 without staying as its parent, and without the ignored SIGINT
    # that a shell's `&` would hand down to every login of this host.
    exec unshare --mount --net --uts --ipc --cgroup --pid --propagation private \
        setsid --fork sh "$0" mount
}

device() { # NAME MODE: the machine's device with a mode of our own, as udev would have set it
    [ -c "/dev/$1" ] || return 0
    mknod -m "$2" "dev/$1" c "0x$(stat -c %t "/dev/$1")" "0x$(stat -c %T "/dev/$1")"
}

devices() {
    mount -t tmpfs -o mode=755,nosuid dev dev
    for name in null zero full random urandom tty fuse; do device "$name" 666; done
    device userfaultfd 600
    mkdir dev/pts dev/shm dev/mqueue
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5,nosuid,noexec devpts dev/pts
    mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
    mount -t mqueue -o nosuid,nodev,noexec mqueue dev/mqueue
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    ln -s fd/0 dev/stdin
    ln -s fd/1 dev/stdout
    ln -s fd/2 dev/stderr
}

kernel_views() {
    mount -t proc -o nosuid,nodev,noexec proc proc
    # Read-only: /sys/module and the like belong to the whole machine.
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
    if grep -qw fusectl /proc/filesystems; then
        mount -t fusectl -o nosuid,nodev,noexec fusectl sys/fs/fuse/connections
    fi
}

root() {
    layers="lowerdir=$LAB_IMAGE,upperdir=$LAB_DIR/upper,workdir=$LAB_DIR/work"
    mount -t overlay -o "$layers" "lab-$LAB_HOST" "$LAB_DIR/root"
    cd "$LAB_DIR/root"
    kernel_views
    devices
    mount -t tmpfs -o mode=755,nosuid,nodev run run
    mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp
    hostname "$LAB_HOST"
}

own_init() {
    exec env -i PATH="$PATH" LANG=C.UTF-8 HOME=/root \
        /usr/bin/python3 -I -S /usr/lib/lab/init.py "$LAB_ADDRESS"
}

# As a container's, so that it leaves alone what belongs to the machine. It heeds no limit of the
# machine's kernel either: what it would raise is read-only, what it would set at boot is masked.
# Source: systemd.io, "Container Interface"; kernel-command-line(7), which it reads from its own.
systemd_init() {
    ip link set lo up
    ip address add "$LAB_ADDRESS" dev eth0
    ip link set eth0 up
    echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
    mount --bind /proc/sys/fs /proc/sys/fs
    mount -o remount,bind,ro /proc/sys/fs
    echo up
    exec env -i PATH="$PATH" container=ssi-lab /usr/lib/systemd/systemd --show-status=false \
        systemd.mask=systemd-sysctl.service systemd.mask=systemd-modules-load.service \
        </dev/null >/var/log/init.log 2>&1
}

case $1 in
enter) enter ;;
mount)
    umask 022
    root
    echo ready
    read -r word && [ "$word" = go ]
    mkdir run/old
    pivot_root . run/old
    cd /
    umount -l /run/old
    rmdir /run/old
    # Shared, so that a job's namespace can be its slave and see mounts that come later.
    mount --make-rshared /
    "${LAB_INIT}_init"
    ;;
esac
