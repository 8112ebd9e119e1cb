#!/bin/bash
# 200 devices behind one address of a carrier: all are up soon, the coordinator has next to nothing to do
# while they are idle, a laptop reaches them, and all are back after the coordinator was restarted.
#
#        coord
#          |
#        inet -------------------- home-r (port-restricted) -- home: the laptop
#          |
#        isp-r (symmetric: maps and filters by address and port), one outside address
#          |
#         isp: tund-device, 200 devices in one process, a socket each
#
# DEVICES=50 for fewer.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/device.sh"
DEVICES=${DEVICES:-200}
IDLE_S=${IDLE_S:-5}

lab_internet
lab_home home port-restricted
lab_home isp symmetric delay=50
overlay_coord
overlay_members home
names=()
for ((i = 1; i <= DEVICES; i++)); do
    names+=("meter-$i")
    device_invite home "meter-$i"
done
overlay_up home

count_online() { awk '{ state[$1] = $2 } END { for (n in state) count += state[n] == "online"; print count + 0 }' "$LAB_DIR/log/device-isp.log"; }
are_online() { (($(count_online) == DEVICES)); }
began=$(ms_now)
device_start isp "${names[@]}"
assert_soon "$DEVICES devices behind one address are up within 30 s" 30 are_online
diag "$DEVICES up after $(($(ms_now) - began)) ms, from the start of their process"
assert_eq "the coordinator knows them all" "$(overlay_coord_status .sessions.members)" $((DEVICES + 1))

# Ticks of the processor, user's and system's; the process' name is in brackets and has no blank.
ticks() { awk '{ print $14 + $15 }' "/proc/${LAB_PID[coordinator]}/stat"; }
cpu=$(ticks)
began=$(ms_now)
lab_exec coord sleep "$IDLE_S" # what is measured is this time
took=$(($(ms_now) - began))
cpu=$((($(ticks) - cpu) * 100000000 / ($(getconf CLK_TCK) * took)))
diag "the coordinator took $cpu parts in 100,000 of one processor in $took ms"
assert_le "idle, the coordinator takes less than 2 % of a processor (parts in 100,000)" "$cpu" 2000

for i in 1 $((DEVICES / 4)) $((DEVICES / 2)) "$DEVICES"; do
    assert_soon "meter-$i answers the laptop" 8 overlay_ping home "meter-$i" -W 2
done

: >"$LAB_DIR/log/device-isp.log"
lab_stop coordinator
overlay_coord
began=$(ms_now)
are_back() { (($(overlay_coord_status .sessions.members) == DEVICES + 1)); }
assert_soon "after the coordinator was restarted and has called them all are back" 10 are_back
diag "all back after $(($(ms_now) - began)) ms"
assert_soon "and one answers" 10 overlay_ping home "meter-$DEVICES" -W 2
