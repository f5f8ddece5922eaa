#!/bin/busybox sh
# Process 1 of the guest: kernel modules; then the files of the machine that runs the tests, read only, with a tmpfs over
# them, as the root; then a shell on the virtio console. What goes wrong is on the serial console.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec >/dev/console 2>&1
while read -r module; do
    insmod "/modules/$module" || echo "guest: $module was refused"
done </modules/order
mount -t tmpfs tmpfs /run
mkdir /run/lower /run/upper /run/work /mnt/root
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro host /run/lower
mount -t overlay -o lowerdir=/run/lower,upperdir=/run/upper,workdir=/run/work overlay /mnt/root
cd /mnt/root || exit
for folder in proc sys dev; do mount --move /$folder $folder; done
mount -t tmpfs tmpfs run
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t configfs configfs sys/kernel/config
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
exec 3<>dev/hvc0
stty -F dev/hvc0 raw -echo
echo ready >&3
setsid chroot . /bin/sh /dev/hvc0 <dev/null >&3 2>&1
echo "guest: the shell has ended"
poweroff -f
