# shellcheck shell=bash
# Devices on the lab: tund-device, which is the firmware's core as a process. A story sources this
# after overlay.sh.
#
#   device_invite nas electron-1 HOST    an invite of nas' network lies on HOST
#   device_start HOST [--budget N] electron-1...  these devices run there, in one process called device-HOST
#   device_state HOST electron-1         what it last said of itself
#   web_transfers HOST ADDRESS           100 KB from its web server and to it, with their checksums

TUND_DEVICE=$LAB_BIN/firmware-bridge/ports/host/tund-device

device_dir() { echo "$LAB_DIR/device/$1"; }

# device_invite FOUNDER NAME: its folder, with an invite; its addresses are in OVERLAY_IP and
# OVERLAY_IP6 afterwards.
device_invite() {
    local dir number
    dir=$(device_dir "$2")
    mkdir -p "$dir"
    tundctl "$1" invite --device "$2" --out "$dir" >"$LAB_DIR/log/invite.log" 2>&1 ||
        lab_die "invite for $2: $(<"$LAB_DIR/log/invite.log")"
    sed -n 's/^ *"\(tund-invite.*\)"$/\1/p' "$dir/tund_config.h" >"$dir/invite"
    OVERLAY_IP[$2]=$(sed -n "s/^for $2, \([0-9.]*\), .*/\1/p" "$LAB_DIR/log/invite.log")
    number=${OVERLAY_IP[$2]##*.}
    OVERLAY_IP6[$2]=$(printf '%s%x' "${OVERLAY_IP6[$1]%%::*}::" "$number")
}

# device_start HOST [--budget BYTES] NAME...
device_start() {
    local host=$1 name dirs=()
    shift
    if [[ $1 == --budget ]]; then
        dirs=("$1" "$2")
        shift 2
    fi
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

web_fetch() { lab_exec "$1" curl -sS -m 60 "${@:2}"; }
# What a device's /bytes/N are.
web_bytes() {
    python3 -c 'import sys; sys.stdout.buffer.write(bytes((i ^ i >> 8) & 255 for i in range(int(sys.argv[1]))))' "$1"
}
blake2s() { python3 -c 'import hashlib, sys; print(hashlib.blake2s(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }

# web_timed SENTENCE HOST CURL-ARGUMENTS...: it has to go, and how long it took is told.
web_timed() {
    local sentence=$1 took_ms
    shift
    measure_ms took_ms assert "$sentence" web_fetch "$@"
    diag "$took_ms ms: $sentence"
}

# web_transfers HOST ADDRESS: the address as it stands in a URL. Four assertions.
web_transfers() {
    local host=$1 to=$2 dir=$LAB_DIR/web
    mkdir -p "$dir"
    web_bytes 102400 >"$dir/bytes"
    head -c 102400 /dev/urandom >"$dir/up"
    web_timed "100 KB come down from $to" "$host" -o "$dir/down" "http://$to/bytes/102400"
    assert "and are the right ones" cmp "$dir/bytes" "$dir/down"
    web_timed "100 KB go up to $to" "$host" -o "$dir/answer" --data-binary "@$dir/up" "http://$to/upload"
    assert_eq "and their checksum comes back" "$(<"$dir/answer")" "$(blake2s "$dir/up")"
}
