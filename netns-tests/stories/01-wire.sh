#!/bin/bash
# A link has the delay, the loss, the rate and the cuts that it was given, in the
# way it was given them.
#
#        coord 55.1.0.10
#          |  0 ms
#        inet
#          |  the link under test
#        home-r  (public: nothing but the link changes a packet)
#          |
#        home
#
# pathmeter holds both sockets, so it measures one way with one clock.
. "$(dirname "$0")/../lib/lab.sh"

lab_internet
lab_home home public delay=10

# Measures up (home to coordinator) or down and keeps the figures in LAST.
measure() {
    local from=home to=coord address=$COORD_IP
    if [[ $1 == down ]]; then
        from=coord to=home address=${LAB_IP[home]}
    fi
    shift
    LAST=$("$LAB_TOOLS/pathmeter" --json --from "$from" --to "$to" --address "$address" "$@")
}
last() { jq -r ".$1" <<<"$LAST"; }

for way in up down; do
    measure "$way"
    assert_between "10 ms $way is 10 ms in the middle" "$(last delay_p50_ms)" 10 12
    assert_ge "and never less" "$(last delay_min_ms)" 10
    assert_eq "and loses nothing" "$(last loss_pct)" 0
    assert_eq "and keeps the order" "$(last overtaken)" 0
done

lab_wire home ab.delay=30 ba.delay=5 >/dev/null
measure up
assert_between "30 ms up" "$(last delay_p50_ms)" 30 32
measure down
assert_between "with 5 ms down" "$(last delay_p50_ms)" 5 7

lab_wire home delay=10 jitter=5 >/dev/null
measure up
assert_between "5 ms of jitter bring some packets early" "$(last delay_min_ms)" 5 9
assert_ge "and some late" "$(last delay_max_ms)" 12
assert_eq "but none before another" "$(last overtaken)" 0

lab_wire home jitter=0 reorder=10 >/dev/null
measure up --count 2000 --rate 4000
assert_ge "10 % reordering lets packets overtake" "$(last overtaken)" 100
assert_eq "and loses none" "$(last loss_pct)" 0

lab_wire home reorder=0 ab.loss=5 >/dev/null
measure up --count 8000 --rate 8000
assert_between "5 % loss up loses 5 %" "$(last loss_pct)" 4 6
measure down --count 2000 --rate 4000
assert_eq "and nothing down" "$(last loss_pct)" 0

# 1000-byte payloads are 1042 on the line and 1066 with Ethernet's own bytes:
# 117 of them in a second at 1 Mbit/s
lab_wire home delay=0 loss=0 rate=1000 queue=12500 >/dev/null
measure up --count 400 --rate 200 --size 1000
assert_between "1 Mbit/s passes 117 of 200 packets in a second" "$(last loss_pct)" 35 46
assert_between "and what is full of 12500 bytes delays by 100 ms" "$(last delay_max_ms)" 80 125

lab_wire home rate=0 cut=1 >/dev/null
measure up --count 50 --wait 50
assert_eq "a cut link passes nothing" "$(last received)" 0
lab_wire home cut=0 >/dev/null
measure up --count 50
assert_eq "a mended one all" "$(last received)" 50

assert_status "a setting that does not exist is refused" 1 lab_wire home delay=3 dealy=10
measure up --count 50
assert_le "and changes nothing" "$(last delay_p50_ms)" 2
assert_match "the wire counts what it carried" "$(lab_wire home stats)" 'ab received [1-9][0-9]* sent [1-9]'
lab_stop wire-home
ok "and ends in good order when told to"
assert_fails "its interfaces are gone then" ip -n home-r link show wan
