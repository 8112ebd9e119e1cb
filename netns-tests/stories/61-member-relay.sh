#!/bin/bash
# Two homes whose NATs cannot be punched, and a third member with a public address and a short link, while the coordinator
# is far away. Once the third is marked as a relay, traffic goes round by it, faster than before; it is stopped in
# the middle of a download, which goes on by the coordinator's relay; unmarked, it is never gone through.
#
#                 coord
#                   | (150 ms)
#        ----------inet----------
#        | (20 ms)  | (10 ms)   | (20 ms)
#       a-r        m-r         b-r    (a-r, b-r: symmetric; m-r: no NAT)
#        |          |           |
#        a          m           b
# time limit: 240 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/transfer.sh"

lab_internet delay=75
overlay_coord
lab_home a symmetric
lab_home b symmetric
lab_home m public delay=5
overlay_members a b m
overlay_up a b m
lab_wire a rate=20000 queue=100000 >/dev/null
lab_wire b rate=20000 queue=100000 >/dev/null

through_m() { overlay_is "$1" "$2" member && [[ $(overlay_peer "$1" "$2" .through) == m ]]; }
# The median of ten pings, after the first.
median_ms() {
    lab_exec a ping -c 11 -i 0.2 "${OVERLAY_IP[b]}" | sed -n 's/.*time=\([0-9.]*\) ms$/\1/p' | tail -n 10 | sort -n | sed -n 5p
}
forwarded() { tundctl m relay --json | jq .forwarded; }

lab_spawn pings a ping -q -i 0.2 "${OVERLAY_IP[b]}"
assert_soon "pings pass" 10 overlay_ping a b
assert_match "m relays for nobody at first" "$(tundctl m relay)" '^off: '
assert_fails "m is not marked: nothing goes through it, for 10 s" wait_until 10 through_m a b
assert "but by the coordinator's relay" overlay_is a b relay
assert_eq "m has passed nothing on" "$(forwarded)" 0
by_relay=$(median_ms)

assert_match "m is marked" "$(tundctl m relay on)" '^on: this machine relays for other members, 20 Mbit/s at most'
assert_soon "traffic from a goes through it" 30 through_m a b
assert_soon "and from b" 30 through_m b a
by_member=$(median_ms)
diag "round trip: $by_relay ms by the coordinator's relay, $by_member ms through m"
assert_le "and is at least three times as fast (ms)" "$(awk "BEGIN { print $by_member * 3 }")" "$by_relay"
assert "m has passed datagrams on" test "$(forwarded)" -gt 0
assert_match "status says so" "$(tundctl a status)" 'b  *[0-9.]*  *member  *through m  .* 1360 '
assert_match "explain says why" "$(tundctl a explain b)" \
    'through member m, which relays for others, because both NATs give each peer another port.* better than the coordinator'
assert_eq "its JSON names m" "$(tundctl a explain b --json | jq -r '.candidates[] | select(.in_use).through')" m
assert_eq "and a says that m relays" "$(overlay_peer a m .relays)" true
assert_match "m says so itself" "$(tundctl m status)" 'relays for other members, 20 Mbit/s at most: [1-9]'

transfer_serve b
transfer_begin through a b
require "a download runs through m" transfer_resumes through 4000000
assert "through m" through_m a b
since=$(ms_now)
overlay_down m
assert_soon "m is stopped: by the coordinator's relay again" 5 overlay_is a b relay
assert "and the download goes on" transfer_resumes through 2000000
stall=$(transfer_stall through "$since")
diag "standstill $stall ms"
assert_le "its standstill (ms)" "$stall" 3000
overlay_up m
assert_soon "m is there again, and still marked: through it again" 60 through_m a b
assert "and the download goes on" transfer_resumes through 2000000
transfer_end through

assert_match "m is unmarked" "$(tundctl m relay off)" '^off: '
assert_soon "and left" 10 overlay_is a b relay
passed=$(forwarded)
assert_fails "it is not gone through any more, for 10 s" wait_until 10 through_m a b
assert_eq "and passes nothing on" "$(forwarded)" "$passed"

assert_status "a word that is neither on nor off is refused" 2 tundctl m relay sideways
