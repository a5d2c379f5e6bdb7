#!/usr/bin/env bash
# Makes the file systems of a machine, and becomes its systemd. Started by `deploy.machine.machine` as process 1 of new
# namespaces; nothing that is mounted here is seen outside, and all of it goes when the last process does.
#
#     boot.sh FOLDER BASE NAME ARCHIVES
#
# FOLDER has up, work and root for the overlay, and docker and containerd, as an engine wants none below its data; BASE is
# the root file system; ARCHIVES is what apt has fetched before.
set -eu
folder=$1 base=$2 name=$3 archives=$4 root=$1/root

mount -t overlay overlay -o "lowerdir=$base,upperdir=$folder/up,workdir=$folder/work" "$root"
mkdir -p "$root/var/lib/docker" "$root/var/lib/containerd" "$root/var/cache/apt/archives"
mount --bind "$folder/docker" "$root/var/lib/docker"
mount --bind "$folder/containerd" "$root/var/lib/containerd"
mount --bind "$archives" "$root/var/cache/apt/archives"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
    mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
    while IFS=: read -r _ controllers _; do
        case $controllers in
            '') mkdir "$root/sys/fs/cgroup/unified" && mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified" ;;
            *)
                mkdir "$root/sys/fs/cgroup/${controllers#name=}"
                mount -t cgroup -o "$controllers" cgroup "$root/sys/fs/cgroup/${controllers#name=}"
                ;;
        esac
    done </proc/self/cgroup
fi

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    cp -a "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

hostname "$name"
ip link set lo up
mkdir "$root/.outside"
cd "$root"
pivot_root . .outside
umount -l /.outside
rmdir /.outside
# The last three: systemd 256 and newer refuse version 1 of control groups unless told twice.
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin "SKYPANEL_LAB_MACHINE=$folder" \
    /usr/lib/systemd/systemd --system --log-level=warning --log-target=console --show-status=no \
    systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
