# shellcheck shell=bash
# Devices on the lab: tund-device, which is the firmware's core as a process. A story sources this
# after overlay.sh.
#
#   device_invite nas electron-1 HOST    an invite of nas' network lies on HOST
#   device_start HOST electron-1...      these devices run there, in one process called device-HOST
#   device_state HOST electron-1         what it last said of itself

TUND_DEVICE=$LAB_BIN/firmware-bridge/ports/host/tund-device

device_dir() { echo "$LAB_DIR/device/$1"; }

# device_invite FOUNDER NAME: its folder, with an invite; its addresses are in OVERLAY_IP and
# OVERLAY_IP6 afterwards.
device_invite() {
    local dir number
    dir=$(device_dir "$2")
    mkdir -p "$dir"
    tundctl "$1" invite --name "$2" >"$dir/invite" 2>"$LAB_DIR/log/invite.log" ||
        lab_die "invite for $2: $(<"$LAB_DIR/log/invite.log")"
    OVERLAY_IP[$2]=$(sed -n "s/^for $2, \([0-9.]*\), .*/\1/p" "$LAB_DIR/log/invite.log")
    number=${OVERLAY_IP[$2]##*.}
    OVERLAY_IP6[$2]=$(printf '%s%x' "${OVERLAY_IP6[$1]%%::*}::" "$number")
}

# device_start HOST NAME...
device_start() {
    local host=$1 name dirs=()
    shift
    for name; do
        dirs+=("$(device_dir "$name")")
    done
    lab_spawn "device-$host" "$host" "$TUND_DEVICE" "${dirs[@]}"
}

# device_state HOST NAME: online, offline, refused.
device_state() { awk -v name="$2" '$1 == name { state = $2 } END { print state }' "$LAB_DIR/log/device-$1.log"; }
device_is() { [[ $(device_state "$1" "$2") == "$3" ]]; }

# udp_ask HOST ADDRESS PORT BYTES: sends one datagram (printf's escapes), prints what comes back
# within 4 s.
udp_ask() {
    # shellcheck disable=SC2016 # for the shell on the host
    lab_exec "$1" timeout 4 bash -c 'exec 3<>"/dev/udp/$1/$2"; printf "$3" >&3
        dd bs=2048 count=1 status=none <&3' udp "$2" "$3" "$4"
}
# What comes in, in hex.
to_hex() { od -An -v -tx1 | tr -d ' \n'; }
