#!/bin/bash
# The firmware on the emulated chip, behind its modem and a carrier's NAT: joins by an invite that is
# pasted at its prompt, answers a laptop, and is back after all that can happen to it.
#
#        coord
#          |
#        inet -------------------- home-r (port-restricted) -- home: the laptop
#          |
#        isp-r (symmetric: maps and filters by address and port; its subscribers do not see each other)
#          |
#         isp: sara-u2, the modem --115200 baud-- QEMU netduino2, the firmware
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/device.sh"
. "$LAB_LIB/chip.sh"
PINGS=${PINGS:-20}
RESETS=${RESETS:-4}

lab_internet
lab_home home port-restricted
lab_home isp symmetric delay=50 hosts=isp,neighbour
for port in h2 h3; do
    lab_exec isp-r bridge link set dev "$port" isolated on
done
assert_fails "the carrier's subscribers do not reach each other" lab_exec neighbour ping -c 1 -W 1 "${LAB_IP[isp]}"
overlay_coord
overlay_members home
device_invite home electron-1
overlay_up home

chip_modem isp
chip_joins home electron-1

for size in 56 360; do
    assert "it is pinged $PINGS times with $((size + 28)) bytes, at 115200 baud" \
        lab_exec home ping -c "$PINGS" -i 0.25 -W 5 -q -s "$size" "${OVERLAY_IP[electron-1]}"
    assert_match "and none is lost" "$LAB_OUTPUT" ' 0% packet loss'
    diag "$(tail -n 1 <<<"$LAB_OUTPUT")"
done

assert_eq "UDP: port 7 echoes" "$(udp_ask home "${OVERLAY_IP[electron-1]}" 7 'a card in the rain')" 'a card in the rain'
get='\x41\x01\x12\x34\x99\xb6status' # CON, GET, id 1234, token 99, Uri-Path status
assert_match "CoAP: GET /status is answered" \
    "$(udp_ask home "${OVERLAY_IP[electron-1]}" 5683 "$get" | tr -d '\0')" 'name electron-1'

ping_quick() { lab_exec home ping -c 1 -W 1 "${OVERLAY_IP[electron-1]}"; }
chip_modem_control urc-lost=on late=2,500 garbled=2 full=1 >/dev/null
assert_soon "a modem that is late, garbles and loses announcements costs seconds at most" 10 ping_quick
chip_modem_control urc-lost=off late=0,0 garbled=0 full=0 >/dev/null

chip_modem_control pdp-drop >/dev/null
assert_soon "after the carrier dropped the context it is back" 10 ping_quick
chip_modem_control reboot >/dev/null
assert_soon "after the modem was reset" 10 ping_quick
lab_stop coordinator
overlay_coord
assert_soon "after the coordinator was restarted and has called both" 10 ping_quick

# From the power cut to the first answer, in a session with the laptop, which is silent meanwhile or goes on asking.
took_ms=()
for ((i = 0; i < RESETS; i++)); do
    assert_soon "it answers, before its power goes" 5 ping_quick
    : >"$LAB_DIR/log/chip.log"
    if ((i % 2)); then
        lab_spawn asking home ping -i 0.2 -q "${OVERLAY_IP[electron-1]}"
    fi
    since=$(ms_now)
    chip_off
    chip_on
    assert_soon "after the device lost power it is online" 10 chip_is online
    assert_soon "and answers, without a new invite" 10 ping_quick
    took_ms+=($(($(ms_now) - since)))
    if ((i % 2)); then
        lab_stop asking INT || [[ $? == 1 ]] # nothing of its own was answered yet
    fi
    sleep $((i % 4)) # the next one finds the session at another age
done
mapfile -t took_ms < <(printf '%s\n' "${took_ms[@]}" | sort -n)
diag "$RESETS resets: answered after ${took_ms[RESETS / 2]} ms (p50), ${took_ms[RESETS - 1]} ms (most)"
assert_le "the longest from the power cut to the first answer, ms" "${took_ms[RESETS - 1]}" 9999

chip_type status
assert_soon "the prompt tells how it is" 5 lab_log_has chip '^ram_bytes'
diag "$(tr -d '\r' <"$LAB_DIR/log/chip.log" | grep -E '^(sent|cell|stack|ram)' | tr '\n' ' ')"
# since the reset: joining takes more, see 73-electron-tcp
assert_le "stack of a member, painted, bytes" "$(tr -d '\r' <"$LAB_DIR/log/chip.log" | awk '$1 == "stack_bytes" { print $2 }')" 3072
