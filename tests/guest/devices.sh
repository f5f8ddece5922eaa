# Read by the shell of the guest: the devices that the kernel makes for itself, and the far sides of their cables.

# A board for gpiozero, which goes by /proc/cpuinfo: a Raspberry Pi 3 (revision codes: Raspberry Pi documentation).
make_board() {
    { cat /proc/cpuinfo && printf 'Revision\t: a02082\n'; } >/run/cpuinfo
    mount --bind /run/cpuinfo /proc/cpuinfo
}

# usage: make_gpio_chip NAME LABEL: a gpio-sim with the 54 lines of such a board; the variable gpio_NAME is its folder.
make_gpio_chip() {
    sim=/sys/kernel/config/gpio-sim/$1
    mkdir -p "$sim/bank0"
    echo 54 >"$sim/bank0/num_lines"
    echo "$2" >"$sim/bank0/label"
    plug_gpio_chip "$1"
}

plug_gpio_chip() {
    sim=/sys/kernel/config/gpio-sim/$1
    echo 1 >"$sim/live"
    eval "gpio_$1=/sys/devices/platform/$(cat "$sim/dev_name")/$(cat "$sim/bank0/chip_name")"
}

unplug_gpio_chip() {
    echo 0 >"/sys/kernel/config/gpio-sim/$1/live"
}

# A printer on the cable of dummy_hcd. /dev/g_printer0 is its own end.
make_usb_printer() {
    gadget=/sys/kernel/config/usb_gadget/printer
    mkdir -p $gadget/strings/0x409 $gadget/configs/c.1 $gadget/functions/printer.0
    echo 0x2d37 >$gadget/idVendor
    echo 0xde4a >$gadget/idProduct
    echo "Label printer" >$gadget/strings/0x409/product
    ln -s $gadget/functions/printer.0 $gadget/configs/c.1/
}

# usage: plug_usb_printer COMMAND...: plugs it in; the command, which is given its end, moves its bytes.
plug_usb_printer() {
    echo dummy_udc.0 >$gadget/UDC
    "$@" /dev/g_printer0 >/run/printer.log 2>&1 &
    printer=$!
}

unplug_usb_printer() {
    kill $printer
    wait $printer
    echo >$gadget/UDC
}

# usage: input_device WORDS: the node of the keyboard whose name has these words, or nothing.
input_device() {
    for name in /sys/class/input/event*/device/name; do
        if grep -qs "$1" "$name"; then
            event=${name%/device/name}
            echo "/dev/input/${event##*/}"
        fi
    done
}

# Counts the reports of the USB keyboard, one for each key event, which no grab keeps from /dev/hidraw.
count_reports() {
    until [ -c /dev/hidraw* ]; do sleep 0.1; done
    cat /dev/hidraw* >/run/reports 2>/run/reports.log &
}

# usage: levels LINE...: the levels of the board's GPIO lines, 0 or 1.
levels() {
    for line in "$@"; do
        read -r level <"$gpio_board/sim_gpio$line/value" && printf '%s ' "$level"
    done
}

# usage: press LINE SECONDS: closes a button to ground for so long.
press() {
    echo pull-down >"$gpio_board/sim_gpio$1/pull"
    sleep "$2"
    echo pull-up >"$gpio_board/sim_gpio$1/pull"
}

# usage: eavesdrop DEVICE: another program reads what is typed, and the first virtual console is in use.
eavesdrop() {
    exec 7<"$1" 8<>/dev/tty1
    cat <&7 >/run/overheard 2>/run/overheard.log &
    eavesdropper=$!
}

# How many bytes the other program has heard; then the screen of the console.
overheard() {
    wc -c </run/overheard
    cat /dev/vcs1
}

stop_eavesdropping() {
    kill "$eavesdropper"
    exec 7<&- 8<&-
}
