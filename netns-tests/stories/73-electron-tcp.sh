#!/bin/bash
# TCP to the firmware on the emulated chip: curl on a laptop, through its home's NAT, the coordinator, a
# carrier's NAT and a modem at 115200 baud; also when the carrier drops the context in the middle.
#
#        coord
#          |
#        inet -------------------- home-r (port-restricted) -- home: the laptop
#          |
#        isp-r (symmetric, 50 ms)
#          |
#         isp: sara-u2, the modem --115200 baud-- QEMU netduino2, the firmware
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/device.sh"
. "$LAB_LIB/chip.sh"

lab_internet
lab_home home port-restricted
lab_home isp symmetric delay=50
overlay_coord
overlay_members home
device_invite home electron-1
overlay_up home
chip_modem isp
chip_joins home electron-1

address=${OVERLAY_IP[electron-1]}
for to in "$address" "[${OVERLAY_IP6[electron-1]}]"; do
    web_timed "the status page comes from $to" home -o "$LAB_DIR/page" "http://$to/"
    assert_match "and tells the device's name" "$(<"$LAB_DIR/page")" '<th>name<td>electron-1'
done
assert_match "the laptop's route to it says how much a packet may have" \
    "$(lab_exec home ip -4 route show "$address")" 'mtu 984'
web_transfers home "$address"

# moved DIRECTION BYTES: has the modem carried so much since the counters were set to zero?
moved() { (($(chip_modem_stat "$1") >= $2)); }
ended() { ! lab_alive curl; }
# dropped_in_the_middle DIRECTION SENTENCE CURL-ARGUMENTS...
dropped_in_the_middle() {
    local direction=$1 sentence=$2
    shift 2
    chip_modem_control zero >/dev/null
    lab_spawn curl home curl -sS -m 120 "$@"
    assert_soon "40 KB are on their way" 30 moved "$direction" 40000
    chip_modem_control pdp-drop >/dev/null
    assert "and not all of it" lab_alive curl
    assert_soon "$sentence, although the carrier drops the context" 90 ended
    assert_status "curl is content" 0 lab_stop curl
}
dropped_in_the_middle udp_tx "100 KB come down" -o "$LAB_DIR/web/again" "http://$address/bytes/102400"
assert "and are the right ones" cmp "$LAB_DIR/web/bytes" "$LAB_DIR/web/again"
dropped_in_the_middle udp_rx "100 KB go up" -o "$LAB_DIR/web/answer" --data-binary "@$LAB_DIR/web/up" "http://$address/upload"
assert_eq "and their checksum comes back" "$(<"$LAB_DIR/web/answer")" "$(blake2s "$LAB_DIR/web/up")"

chip_type status
assert_soon "the prompt tells how it is" 5 lab_log_has chip '^ram_bytes'
diag "$(tr -d '\r' <"$LAB_DIR/log/chip.log" | grep -E '^(sent|cell|stack|ram)' | tr '\n' ' ')"
# it has joined since the start, and signing a card takes the most
assert_le "stack with joining, painted, bytes" "$(tr -d '\r' <"$LAB_DIR/log/chip.log" | awk '$1 == "stack_bytes" { print $2 }')" 3072
