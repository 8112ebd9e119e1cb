# shellcheck shell=bash
# The device on the emulated chip, with its modem. A story sources this after device.sh.
#
#   chip_modem isp              the modem gets its UDP from host isp
#   chip_on electron-1          QEMU runs the firmware; its prompt's output is log/chip.log
#   chip_type TEXT              a line at its prompt
#   chip_off                    pulls the plug: what is not stored is gone
#
# What it stores is a file, as its EEPROM. One device a story.

CHIP_FIRMWARE=${CHIP_FIRMWARE:-$LAB_BIN-chip/firmware-bridge/ports/stm32f2/tund-device.elf}
CHIP_MODEM=$LAB_BIN/firmware-bridge/modem/sara-u2

# chip_modem HOST [OPTION...]
chip_modem() {
    local host=$1
    shift
    [[ -e $CHIP_FIRMWARE ]] || lab_die "no firmware at $CHIP_FIRMWARE: scripts/firmware builds it"
    mkdir -p "$LAB_DIR/chip"
    mkfifo "$LAB_DIR/chip/console.in" "$LAB_DIR/chip/console.out"
    truncate -s 2000 "$LAB_DIR/chip/storage"
    lab_spawn modem "$host" "$CHIP_MODEM" --uart "$LAB_DIR/chip/uart" --control "$LAB_DIR/chip/control" "$@"
    wait_until 5 lab_log_has modem '^ready' || lab_die "the modem does not start"
    # shellcheck disable=SC2016 # opened for both, so that it outlives the chip's power
    lab_spawn chip - bash -c 'exec cat <>"$1"' cat "$LAB_DIR/chip/console.out"
}

# chip_on [OPTION...]: more options are QEMU's.
chip_on() {
    lab_spawn qemu - qemu-system-arm -M netduino2 -display none -monitor none \
        -chardev pipe,id=console,path="$LAB_DIR/chip/console" -serial chardev:console \
        -serial null -serial "unix:$LAB_DIR/chip/uart" \
        -semihosting-config "enable=on,target=native,arg=tund,arg=storage=$LAB_DIR/chip/storage" \
        -kernel "$CHIP_FIRMWARE" "$@"
}
chip_off() { lab_stop qemu KILL || [[ $? == 137 ]]; }

chip_type() { printf '%s\r' "$1" >"$LAB_DIR/chip/console.in"; }

# chip_modem_control WORD...: changes how the modem behaves; `stats` prints its counters.
chip_modem_control() { "$LAB_TOOLS/wirectl" "$LAB_DIR/chip/control" "$@"; }
chip_modem_stat() { chip_modem_control stats | jq -r ".$1"; }

# chip_state: what the prompt last said the device is: online, offline, refused, empty.
chip_state() { tr -d '\r' <"$LAB_DIR/log/chip.log" | awk '$NF == "ms" { state = $(NF - 2) } END { print state }'; }
chip_is() { [[ $(chip_state) == "$1" ]]; }

# chip_joins LAPTOP NAME: it is switched on, and the invite of device_invite is pasted at its prompt.
chip_joins() {
    chip_on
    assert_soon "the prompt asks for an invite" 5 lab_log_has chip 'no member yet'
    chip_type "$(<"$(device_dir "$2")/invite")"
    assert_soon "pasted there, it makes the device a member" 10 chip_is online
    assert_soon "the laptop knows it" 10 overlay_knows "$1" "$2"
    assert_soon "and it answers" 5 overlay_ping "$1" "$2"
}
