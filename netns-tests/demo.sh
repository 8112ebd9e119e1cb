#!/bin/bash
# The demo's inside; scripts/demo runs it.
#
#   nas --- its home's router ---.           ,--- laptop's home's router --- laptop
#           port-restricted NAT   \ 20 ms   / 20 ms   port-restricted NAT
#                                  internet
#                                     |
#                                coordinator
#                                     |
#                              carrier's router, symmetric NAT
#                                     |
#                              modem --115200 baud-- emulated Cortex-M3: electron-1
. "$(dirname "$0")/lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/device.sh"
. "$LAB_LIB/chip.sh"
# a demo has no plan to print: it says what it does
trap 'status=$?; [[ ! ${LAB_KEEP:-} ]] || lab_wait_for_visitors; lab_stop_all; exit $status' EXIT

title() { printf '\n== %s\n' "$*"; }
# shows HOST COMMAND...: the command as a user types it, then what it says
shows() {
    local host=$1
    shift
    printf '%s$ %s\n' "$host" "${*##*/tund/}"
    lab_exec "$host" "$@" || lab_die "that failed"
}

title "the network: a coordinator, two homes behind port-restricted NATs, 20 ms links"
lab_internet
lab_home nas port-restricted
lab_home laptop port-restricted
printf 'nas has %s behind %s; laptop has %s behind %s\n' \
    "${LAB_IP[nas]}" "${LAB_EXTERNAL[nas]}" "${LAB_IP[laptop]}" "${LAB_EXTERNAL[laptop]}"

title "the coordinator"
overlay_coord
echo "coord\$ tund-coord run --state DIR --listen $COORD_IP"
echo "coordinator $COORD_URL"

title "the first home makes the network, and an invite"
shows nas "$TUNDCTL" create home --coordinator "$COORD_URL" --name nas
echo "nas\$ tundctl invite --name laptop > invite"
tundctl nas invite --name laptop >"$LAB_DIR/invite"

title "the second home joins with it"
echo "laptop\$ tundctl join - < invite"
tundctl laptop join - <"$LAB_DIR/invite"
overlay_learn nas

title "the first packet, and the way it goes"
first_ms=$(overlay_ping_ms laptop nas)
echo "the first ping was answered after $first_ms ms"
shows laptop "$TUNDCTL" ping nas --until-direct -c 20
wait_until 10 overlay_is laptop nas direct || lab_die "the path did not become direct"
direct_ms=$(overlay_peer laptop nas '.time_to_direct_ms | round')
shows laptop "$TUNDCTL" status

title "a file of $DEMO_MB MB over HTTP, laptop from nas"
head -c "${DEMO_MB}M" /dev/urandom >"$LAB_DIR/file"
sum=$(sha256sum <"$LAB_DIR/file" | cut -d ' ' -f 1)
lab_spawn httpserve nas "$LAB_TOOLS/httpserve" "$LAB_DIR/file"
wait_until 5 lab_log_has httpserve ready || lab_die "the web server does not start"
measure_ms took_ms lab_exec laptop "$LAB_TOOLS/tcpstall" --json --timeout 120 "${OVERLAY_IP[nas]}" 8080 >"$LAB_DIR/transfer" ||
    lab_die "the transfer failed: $(<"$LAB_DIR/transfer")"
[[ $(jq -r .sha256 "$LAB_DIR/transfer") == "$sum" ]] || lab_die "the file is not the same at the other end"
mbit=$((DEMO_MB * 8389 / took_ms))
echo "it is the same at both ends, by SHA-256"

title "why this path"
shows laptop "$TUNDCTL" explain nas

title "a device behind a carrier's NAT: its firmware on an emulated Cortex-M3, a modem at 115200 baud"
lab_home isp symmetric delay=50
echo "nas\$ tundctl invite --name electron-1    (and the line is pasted at the device's prompt)"
device_invite nas electron-1
chip_modem isp
chip_on
wait_until 10 lab_log_has chip 'no member yet' || lab_die "the device does not start"
chip_type "$(<"$(device_dir electron-1)/invite")"
wait_until 10 chip_is online || lab_die "the device does not get online: $(tail -n 3 "$LAB_DIR/log/chip.log")"
wait_until 30 overlay_knows laptop electron-1 || lab_die "the laptop does not hear of the device"
shows laptop ping -c 3 -W 5 "${OVERLAY_IP[electron-1]}"
echo "laptop asks it for its status, over CoAP:"
udp_ask laptop "${OVERLAY_IP[electron-1]}" 5683 '\x41\x01\x12\x34\x99\xb6status' | tail -c +9 | sed 's/^/  /'
echo "and opens the page that it serves, over TCP:"
shows laptop curl -sS -m 30 "http://${OVERLAY_IP[electron-1]}/"

title "in short"
rtt_ms=$(lab_exec laptop ping -c 5 -i 0.1 -q "${OVERLAY_IP[nas]}" | sed -n 's#^rtt [^=]*= [0-9.]*/\([0-9.]*\)/.*#\1#p')
printf '%-34s %s\n' "path" "$(overlay_peer laptop nas .path), $(overlay_peer laptop nas .endpoint)" \
    "first answer, through the relay" "$first_ms ms" \
    "time to direct" "$direct_ms ms" \
    "round trip (two 20 ms links)" "$rtt_ms ms" \
    "file of $DEMO_MB MB" "$mbit Mbit/s, longest stall $(jq -r .longest_stall_ms "$LAB_DIR/transfer") ms" \
    "memory of tund" "$(awk '/^VmRSS/ { print $2 }' "/proc/$(overlay_pids laptop)/status") KiB"
