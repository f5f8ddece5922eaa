# usage: sh system.sh FOLDER PROJECT PACKAGES PYTHON   (in namespaces of its own: tests/support/system.py)
# A system on a memory overlay of this machine's: FOLDER/units are all its units, and systemd is its first program.
set -eu
folder=$1 project=$2 packages=$3 python=$4
root=$folder/root
mkdir -p "$root" "$folder/memory"
mount -t tmpfs system "$folder/memory"
mkdir "$folder/memory/upper" "$folder/memory/work"
mount -t overlay -o "lowerdir=/,upperdir=$folder/memory/upper,workdir=$folder/memory/work" system "$root"
for place in run tmp etc/systemd usr/lib/systemd/system-generators var/log/journal var/lib/kiosk boot opt data; do
    mkdir -p "$root/$place"
    mount -t tmpfs -o mode=0755 system "$root/$place"
done
mount --bind "$folder/units" "$root/usr/lib/systemd/system"
mkdir -p "$root/opt/kiosk/bin" "$root/opt/kiosk/python" "$root/opt/kiosk/project" "$root/opt/kiosk/packages" \
    "$root/boot/kiosk" "$root/etc/kiosk"
mount --bind "$project" "$root/opt/kiosk/project"
mount --bind "$packages" "$root/opt/kiosk/packages"
mount --bind "$python" "$root/opt/kiosk/python"
install -m 0755 "$folder/kiosk" "$root/opt/kiosk/bin/kiosk"
mount -t proc system "$root/proc"
mount -t sysfs system "$root/sys"
mount -t cgroup2 system "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=0755 system "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 system "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for node in null zero full random urandom tty kmsg; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
cd "$root"
mkdir -p run/old
pivot_root . run/old
systemd-sysusers "/opt/kiosk/project/systemd/sysusers.d/kiosk.conf"
echo 00000000000000000000000000000001 >/run/machine-id
mount --bind /run/machine-id /etc/machine-id
umount -l /run/old
mount --make-rshared /  # systemd does this itself, but in a container
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=test.target \
    --log-target=console </dev/null
